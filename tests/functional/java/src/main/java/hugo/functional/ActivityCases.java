package hugo.functional;

import static hugo.functional.Scene.as;
import static hugo.functional.Scene.equal;
import static hugo.functional.Scene.eventually;
import static hugo.functional.Scene.fails;

import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.RetryState;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.client.WorkflowFailedException;
import io.temporal.common.converter.DefaultDataConverter;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import java.time.Duration;
import java.util.List;

final class ActivityCases {
  static void hello(Scene scene) {
    equal(scene.start("Hello", "World").getResult(String.class), "Hello, World!");
    equal(scene.status(), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED);
    equal(
        scene.eventNames(),
        List.of(
            "WORKFLOW_EXECUTION_STARTED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "ACTIVITY_TASK_SCHEDULED",
            "ACTIVITY_TASK_STARTED",
            "ACTIVITY_TASK_COMPLETED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "WORKFLOW_EXECUTION_COMPLETED"));
  }

  static void activityRetry(Scene scene) {
    equal(scene.start("Retrying").getResult(Integer.class), 3);
    var started = scene.eventsOf(EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED);
    equal(started.size(), 1);
    var attributes = started.get(0).getActivityTaskStartedEventAttributes();
    equal(attributes.getAttempt(), 3);
    equal(attributes.getLastFailure().getMessage(), "attempt 2");
  }

  static void activityFailure(Scene scene) {
    var run = scene.start("Failing");
    var failed = fails(WorkflowFailedException.class, () -> run.getResult(Void.class));
    var activity = as(ActivityFailure.class, failed.getCause());
    equal(activity.getRetryState(), RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE);
    outOfPaper(activity.getCause());
  }

  /** The error is the failure of the activity `fail`, with its type and details. */
  static void outOfPaper(Throwable error) {
    var failure = as(ApplicationFailure.class, error);
    equal(failure.getType(), "Paper");
    equal(failure.getOriginalMessage(), "out of paper");
    equal(failure.getDetails().get(String.class), "tray 2");
  }

  static void asyncCompletion(Scene scene) throws Exception {
    var run = scene.start("Awaiting");
    eventually(() -> !scene.eventsOf(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED).isEmpty());
    var signal = scene.eventsOf(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED).get(0);
    var payload = signal.getWorkflowExecutionSignaledEventAttributes().getInput().getPayloads(0);
    var token = DefaultDataConverter.STANDARD_INSTANCE.fromPayload(payload, byte[].class, byte[].class);
    scene.client().newActivityCompletionClient().complete(token, "done elsewhere");
    equal(run.getResult(String.class), "done elsewhere");
  }

  static void localActivity(Scene scene) {
    equal(scene.start("Locally").getResult(Integer.class), 3);
    equal(
        scene.eventNames(),
        List.of(
            "WORKFLOW_EXECUTION_STARTED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "MARKER_RECORDED",
            "WORKFLOW_EXECUTION_COMPLETED"));
  }

  static void longLocalActivity(Scene scene) {
    var options = scene.options().setWorkflowTaskTimeout(Duration.ofSeconds(2));
    var completed = scene.start(options, "Prolonged").getResult(Integer.class);
    equal(completed >= 2, true);
    equal(scene.eventsOf(EventType.EVENT_TYPE_MARKER_RECORDED).size(), 1);
  }

  static void timer(Scene scene) {
    scene.start("Napping").getResult(Void.class);
    equal(
        scene.eventNames(),
        List.of(
            "WORKFLOW_EXECUTION_STARTED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "TIMER_STARTED",
            "TIMER_STARTED",
            "TIMER_FIRED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "TIMER_CANCELED",
            "WORKFLOW_EXECUTION_COMPLETED"));
  }

  private ActivityCases() {}
}
