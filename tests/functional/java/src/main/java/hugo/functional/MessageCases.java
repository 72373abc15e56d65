package hugo.functional;

import static hugo.functional.Scene.as;
import static hugo.functional.Scene.equal;
import static hugo.functional.Scene.fails;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.client.WorkflowQueryException;
import io.temporal.client.WorkflowServiceException;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateException;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.failure.ApplicationFailure;

final class MessageCases {
  static void signal(Scene scene) {
    var run = scene.start("Conversation");
    run.signal("say", "one");
    run.signal("say", "two");
    run.signal("say", "end");
    equal(run.getResult(String.class), "one two end");
    fails(WorkflowNotFoundException.class, () -> run.signal("say", "late"));
  }

  static void signalWithStart(Scene scene) {
    var first = scene.client().newUntypedWorkflowStub("Conversation", scene.options().build());
    var firstRun = first.signalWithStart("say", new Object[] {"one"}, new Object[0]);
    var second = scene.client().newUntypedWorkflowStub("Conversation", scene.options().build());
    equal(second.signalWithStart("say", new Object[] {"end"}, new Object[0]), firstRun);
    equal(first.getResult(String.class), "one end");
  }

  static void query(Scene scene) {
    var run = scene.start("Conversation");
    equal(run.query("heard", String.class, "+"), "");
    run.signal("say", "one");
    equal(run.query("heard", String.class, "+"), "one");
    var failed = fails(WorkflowQueryException.class, () -> run.query("heard", String.class, ""));
    equal(failed.getCause().getMessage().contains("a separator is needed"), true);
    fails(WorkflowQueryException.class, () -> run.query("colour", String.class));
    run.signal("say", "end");
    run.getResult(String.class);
    equal(run.query("heard", String.class, "+"), "one+end");
  }

  static void update(Scene scene) throws Exception {
    var run = scene.start("Conversation");
    equal(run.update("tell", Integer.class, "one"), 1);
    updateFails(run, "", "silence", IllegalArgumentException.class.getName());
    updateFails(run, "cough", "bless you", "Cough");
    var options =
        UpdateOptions.newBuilder(Integer.class)
            .setUpdateName("tell")
            .setUpdateId("the-end")
            .setWaitForStage(WorkflowUpdateStage.ACCEPTED)
            .build();
    run.startUpdate(options, "end");
    equal(run.getResult(String.class), "one end");
    equal(run.getUpdateHandle("the-end", Integer.class).getResult(), 2);
    equal(scene.eventsOf(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED).size(), 3);
  }

  private static void updateFails(WorkflowStub run, String word, String message, String type) {
    var failed = fails(WorkflowUpdateException.class, () -> run.update("tell", Integer.class, word));
    var failure = as(ApplicationFailure.class, failed.getCause());
    equal(failure.getOriginalMessage(), message);
    equal(failure.getType(), type);
  }

  static void updateWithStart(Scene scene) throws Exception {
    equal(told(scene, "one", WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL), 1);
    equal(told(scene, "two", WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING), 2);
    var refused =
        fails(
            WorkflowServiceException.class,
            () -> told(scene, "three", WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL));
    var status = as(StatusRuntimeException.class, refused.getCause()).getStatus();
    equal(status.getCode(), Status.Code.ALREADY_EXISTS);
    scene.run().signal("say", "end");
    equal(scene.run().getResult(String.class), "one two end");
  }

  private static int told(Scene scene, String word, WorkflowIdConflictPolicy policy) {
    var start = scene.options().setWorkflowIdConflictPolicy(policy).build();
    var update =
        UpdateOptions.newBuilder(Integer.class)
            .setUpdateName("tell")
            .setWaitForStage(WorkflowUpdateStage.COMPLETED)
            .build();
    var stub = scene.client().newUntypedWorkflowStub("Conversation", start);
    return stub.executeUpdateWithStart(update, new Object[] {word}, new Object[0]);
  }

  private MessageCases() {}
}
