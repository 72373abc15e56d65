package hugo.functional;

import io.temporal.worker.Worker;
import java.util.function.Consumer;

/** The workflows of the worker that all cases share. */
final class Work {
  static Consumer<Worker> everything() {
    return worker ->
        worker.registerWorkflowImplementationTypes(
            ActivityWorkflows.HelloCode.class,
            ActivityWorkflows.RetryingCode.class,
            ActivityWorkflows.FailingCode.class,
            ActivityWorkflows.AwaitingCode.class,
            ActivityWorkflows.LocallyCode.class,
            ActivityWorkflows.ProlongedCode.class,
            ActivityWorkflows.NappingCode.class,
            ActivityWorkflows.CarefulCode.class,
            Conversation.Code.class,
            RelatedWorkflows.ParentCode.class,
            RelatedWorkflows.CommanderCode.class,
            RelatedWorkflows.CountdownCode.class,
            RelatedWorkflows.StubbornCode.class,
            RelatedWorkflows.TickingCode.class,
            RelatedWorkflows.LabelledCode.class);
  }

  private Work() {}
}
