package hugo.functional;

import static hugo.functional.Scene.as;
import static hugo.functional.Scene.equal;
import static hugo.functional.Scene.eventually;
import static hugo.functional.Scene.fails;

import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.client.WorkflowFailedException;
import io.temporal.common.RetryOptions;
import io.temporal.common.converter.DefaultDataConverter;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.ChildWorkflowFailure;
import java.time.Duration;

final class RelatedCases {
  static void childWorkflow(Scene scene) {
    var run = scene.start("Parent");
    var failed = fails(WorkflowFailedException.class, () -> run.getResult(String.class));
    ActivityCases.outOfPaper(as(ChildWorkflowFailure.class, failed.getCause()).getCause().getCause());
    var completed = scene.eventsOf(EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED);
    equal(completed.size(), 1);
    var result = completed.get(0).getChildWorkflowExecutionCompletedEventAttributes().getResult().getPayloads(0);
    var greeting = DefaultDataConverter.STANDARD_INSTANCE.fromPayload(result, String.class, String.class);
    equal(greeting, "Hello, child!");
    equal(scene.eventsOf(EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED).size(), 1);
  }

  static void externalWorkflow(Scene scene) {
    var listener = scene.named("listener");
    var victim = scene.named("victim");
    var listening = listener.start("Conversation");
    var suffering = victim.start("Conversation");
    equal(scene.start("Commander", listener.id(), victim.id()).getResult(String.class), "nobody heard");
    equal(listening.getResult(String.class), "end");
    var cancelled = fails(WorkflowFailedException.class, () -> suffering.getResult(String.class));
    as(CanceledFailure.class, cancelled.getCause());
  }

  static void continueAsNew(Scene scene) {
    var stub = scene.start("Countdown", 2);
    var first = stub.getExecution().getRunId();
    var second = stub.getResult(String.class);
    equal(scene.status(first), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
    equal(scene.status(second), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
    equal(scene.status(), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED);
    var events = scene.events(first);
    var last = events.get(events.size() - 1).getWorkflowExecutionContinuedAsNewEventAttributes();
    equal(last.getNewExecutionRunId(), second);
  }

  static void workflowRetry(Scene scene) {
    var retry = RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).build();
    var run = scene.start(scene.options().setRetryOptions(retry), "Stubborn");
    var first = run.getExecution().getRunId();
    equal(run.getResult(Integer.class), 3);
    equal(scene.status(first), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED);
  }

  static void cron(Scene scene) throws Exception {
    scene.start(scene.options().setCronSchedule("@every 1s"), "Ticking");
    eventually(
        () -> {
          var started = scene.events().get(0).getWorkflowExecutionStartedEventAttributes();
          if (!started.hasLastCompletionResult()) {
            return false;
          }
          var payload = started.getLastCompletionResult().getPayloads(0);
          return DefaultDataConverter.STANDARD_INSTANCE.fromPayload(payload, Integer.class, Integer.class) >= 2;
        });
    scene.run().terminate("enough");
  }

  private RelatedCases() {}
}
