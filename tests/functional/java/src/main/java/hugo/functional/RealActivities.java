package hugo.functional;

import io.temporal.activity.Activity;
import io.temporal.api.enums.v1.EventType;
import io.temporal.client.WorkflowClient;
import io.temporal.failure.ApplicationFailure;

final class RealActivities implements Activities {
  private final WorkflowClient client;

  RealActivities(WorkflowClient client) {
    this.client = client;
  }

  @Override
  public String compose(String name) {
    return "Hello, " + name + "!";
  }

  @Override
  public int flaky() {
    var attempt = Activity.getExecutionContext().getInfo().getAttempt();
    if (attempt < 3) {
      throw new IllegalStateException("attempt " + attempt);
    }
    return attempt;
  }

  @Override
  public void fail() {
    throw ApplicationFailure.newNonRetryableFailure("out of paper", "Paper", "tray 2");
  }

  @Override
  public String elsewhere() {
    var context = Activity.getExecutionContext();
    var workflow = client.newUntypedWorkflowStub(context.getInfo().getWorkflowId());
    workflow.signal("token", context.getTaskToken());
    context.doNotCompleteOnReturn();
    return null;
  }

  @Override
  public void forever() {
    while (true) {
      Activity.getExecutionContext().heartbeat("still here");
      pause();
    }
  }

  @Override
  public int outlastTask() {
    var info = Activity.getExecutionContext().getInfo();
    while (true) {
      var completed =
          client.fetchHistory(info.getWorkflowId(), info.getWorkflowRunId()).getEvents().stream()
              .filter(event -> event.getEventType() == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
              .count();
      if (completed >= 2) {
        return (int) completed;
      }
      pause();
    }
  }

  private static void pause() {
    try {
      Thread.sleep(50);
    } catch (InterruptedException interrupted) {
      throw Activity.wrap(interrupted);
    }
  }
}
