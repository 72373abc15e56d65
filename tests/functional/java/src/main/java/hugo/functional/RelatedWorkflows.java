package hugo.functional;

import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.common.SearchAttributeKey;
import io.temporal.failure.ApplicationFailure;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.util.Map;

/** Workflows that have to do with other runs, and what is written beside a run. */
final class RelatedWorkflows {
  static final SearchAttributeKey<String> LABEL = SearchAttributeKey.forKeyword("SdkLabel");

  /** Runs a child that succeeds and one that fails. */
  @WorkflowInterface
  public interface Parent {
    @WorkflowMethod
    String run();
  }

  public static final class ParentCode implements Parent {
    @Override
    public String run() {
      var greeting = Workflow.newChildWorkflowStub(ActivityWorkflows.Hello.class).run("child");
      Workflow.newChildWorkflowStub(ActivityWorkflows.Failing.class).run();
      return greeting;
    }
  }

  /** Signals one workflow and cancels another; returns what became of a signal to nobody. */
  @WorkflowInterface
  public interface Commander {
    @WorkflowMethod
    String run(String listener, String victim);
  }

  public static final class CommanderCode implements Commander {
    @Override
    public String run(String listener, String victim) {
      Workflow.newUntypedExternalWorkflowStub(listener).signal("say", "end");
      Workflow.newUntypedExternalWorkflowStub(victim).cancel();
      var nobody = WorkflowExecution.newBuilder().setWorkflowId(listener + "-nobody").build();
      try {
        Workflow.newUntypedExternalWorkflowStub(nobody).signal("say", "end");
      } catch (ApplicationFailure nobodyThere) {
        return "nobody heard";
      }
      return "somebody heard";
    }
  }

  @WorkflowInterface
  public interface Countdown {
    @WorkflowMethod
    String run(int left);
  }

  public static final class CountdownCode implements Countdown {
    @Override
    public String run(int left) {
      if (left > 0) {
        Workflow.continueAsNew(left - 1);
      }
      return Workflow.getInfo().getContinuedExecutionRunId().orElseThrow();
    }
  }

  /** Fails before its third attempt. */
  @WorkflowInterface
  public interface Stubborn {
    @WorkflowMethod
    int run();
  }

  public static final class StubbornCode implements Stubborn {
    @Override
    public int run() {
      var attempt = Workflow.getInfo().getAttempt();
      if (attempt < 3) {
        throw ApplicationFailure.newFailure("not yet", "Stubborn");
      }
      return attempt;
    }
  }

  /** Counts its runs by what the last one returned. */
  @WorkflowInterface
  public interface Ticking {
    @WorkflowMethod
    int run();
  }

  public static final class TickingCode implements Ticking {
    @Override
    public int run() {
      Integer runs = Workflow.getLastCompletionResult(Integer.class);
      return runs == null ? 1 : runs + 1;
    }
  }

  @WorkflowInterface
  public interface Labelled {
    @WorkflowMethod
    void run(String value);
  }

  public static final class LabelledCode implements Labelled {
    @Override
    public void run(String value) {
      Workflow.upsertTypedSearchAttributes(LABEL.valueSet(value));
      Workflow.upsertMemo(Map.of("label", value));
    }
  }

  private RelatedWorkflows() {}
}
