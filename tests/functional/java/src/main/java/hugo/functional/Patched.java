package hugo.functional;

import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;

/** A workflow whose code was changed while runs were open. */
@WorkflowInterface
public interface Patched {
  @WorkflowMethod
  String run();

  @SignalMethod
  void end();

  final class Before implements Patched {
    private boolean ended;

    @Override
    public String run() {
      Workflow.await(() -> ended);
      return "old";
    }

    @Override
    public void end() {
      ended = true;
    }
  }

  final class After implements Patched {
    private boolean ended;

    @Override
    public String run() {
      var version = Workflow.getVersion("new-way", Workflow.DEFAULT_VERSION, 1);
      Workflow.await(() -> ended);
      return version == Workflow.DEFAULT_VERSION ? "old" : "new";
    }

    @Override
    public void end() {
      ended = true;
    }
  }
}
