package hugo.functional;

import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.common.RetryOptions;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.workflow.Promise;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;

/** Workflows of activities and timers. */
final class ActivityWorkflows {
  private static final RetryOptions SOON = RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).build();

  static Activities activities() {
    var options =
        ActivityOptions.newBuilder()
            .setStartToCloseTimeout(Duration.ofMinutes(1))
            .setHeartbeatTimeout(Duration.ofMinutes(1))
            .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
            .setRetryOptions(SOON)
            .build();
    return Workflow.newActivityStub(Activities.class, options);
  }

  private static Activities localActivities() {
    var options =
        LocalActivityOptions.newBuilder()
            .setScheduleToCloseTimeout(Duration.ofMinutes(1))
            .setRetryOptions(SOON)
            .build();
    return Workflow.newLocalActivityStub(Activities.class, options);
  }

  @WorkflowInterface
  public interface Hello {
    @WorkflowMethod
    String run(String name);
  }

  public static final class HelloCode implements Hello {
    @Override
    public String run(String name) {
      return activities().compose(name);
    }
  }

  @WorkflowInterface
  public interface Retrying {
    @WorkflowMethod
    int run();
  }

  public static final class RetryingCode implements Retrying {
    @Override
    public int run() {
      return activities().flaky();
    }
  }

  @WorkflowInterface
  public interface Failing {
    @WorkflowMethod
    void run();
  }

  public static final class FailingCode implements Failing {
    @Override
    public void run() {
      activities().fail();
    }
  }

  @WorkflowInterface
  public interface Awaiting {
    @WorkflowMethod
    String run();

    @SignalMethod
    void token(byte[] token);
  }

  public static final class AwaitingCode implements Awaiting {
    @Override
    public String run() {
      return activities().elsewhere();
    }

    @Override
    public void token(byte[] token) {}
  }

  @WorkflowInterface
  public interface Locally {
    @WorkflowMethod
    int run();
  }

  public static final class LocallyCode implements Locally {
    @Override
    public int run() {
      return localActivities().flaky();
    }
  }

  @WorkflowInterface
  public interface Prolonged {
    @WorkflowMethod
    int run();
  }

  public static final class ProlongedCode implements Prolonged {
    @Override
    public int run() {
      return localActivities().outlastTask();
    }
  }

  /** Waits for one timer and cancels another. */
  @WorkflowInterface
  public interface Napping {
    @WorkflowMethod
    void run();
  }

  public static final class NappingCode implements Napping {
    private Promise<Void> late;

    @Override
    public void run() {
      var longer = Workflow.newCancellationScope(() -> late = Workflow.newTimer(Duration.ofHours(1)));
      longer.run();
      Workflow.sleep(Duration.ofMillis(50));
      longer.cancel();
      if (!(late.getFailure() instanceof CanceledFailure)) {
        throw new IllegalStateException("the cancelled timer fired");
      }
    }
  }

  /** Runs an activity until it is cancelled, then cleans up, if it is told so. */
  @WorkflowInterface
  public interface Careful {
    @WorkflowMethod
    void run(boolean cleanUp);
  }

  public static final class CarefulCode implements Careful {
    @Override
    public void run(boolean cleanUp) {
      try {
        activities().forever();
      } catch (ActivityFailure failure) {
        if (!cleanUp || !(failure.getCause() instanceof CanceledFailure)) {
          throw failure;
        }
      }
      Workflow.newDetachedCancellationScope(() -> activities().compose("broom")).run();
    }
  }

  private ActivityWorkflows() {}
}
