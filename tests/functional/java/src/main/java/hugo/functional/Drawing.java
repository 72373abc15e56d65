package hugo.functional;

import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;

/** Draws a number, tells it when it is asked, and returns it when it is told the end. */
@WorkflowInterface
public interface Drawing {
  @WorkflowMethod
  long run();

  @QueryMethod
  long draw();

  @SignalMethod
  void end();

  final class Code implements Drawing {
    private long drawn;
    private boolean ended;

    @Override
    public long run() {
      drawn = Workflow.sideEffect(Long.class, System::nanoTime);
      Workflow.sleep(Duration.ofMillis(1));
      Workflow.await(() -> ended);
      return drawn;
    }

    @Override
    public long draw() {
      return drawn;
    }

    @Override
    public void end() {
      ended = true;
    }
  }
}
