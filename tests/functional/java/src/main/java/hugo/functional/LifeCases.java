package hugo.functional;

import static hugo.functional.Scene.as;
import static hugo.functional.Scene.equal;
import static hugo.functional.Scene.eventually;
import static hugo.functional.Scene.fails;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.IndexedValueType;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.api.operatorservice.v1.AddSearchAttributesRequest;
import io.temporal.api.operatorservice.v1.OperatorServiceGrpc;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.client.WorkflowExecutionAlreadyStarted;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.common.SearchAttributes;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TerminatedFailure;

final class LifeCases {
  static void cancel(Scene scene) throws Exception {
    for (var cleansUp : new boolean[] {false, true}) {
      var each = scene.named(String.valueOf(cleansUp));
      var run = each.start("Careful", cleansUp);
      eventually(() -> activityRuns(each));
      run.cancel();
      // Whatever the workflow returns then, this SDK ends it as cancelled.
      var failed = fails(WorkflowFailedException.class, () -> run.getResult(String.class));
      as(CanceledFailure.class, failed.getCause());
      equal(each.status(), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED);
      equal(each.eventsOf(EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED).size(), 1);
      equal(each.eventsOf(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED).size(), cleansUp ? 1 : 0);
    }
  }

  private static boolean activityRuns(Scene scene) {
    var request =
        DescribeWorkflowExecutionRequest.newBuilder()
            .setNamespace(scene.client().getOptions().getNamespace())
            .setExecution(scene.run().getExecution())
            .build();
    var description = scene.client().getWorkflowServiceStubs().blockingStub().describeWorkflowExecution(request);
    return description.getPendingActivitiesList().stream()
        .anyMatch(it -> it.getState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED);
  }

  static void terminate(Scene scene) {
    var run = scene.start("Conversation");
    run.terminate("enough", "detail");
    var failed = fails(WorkflowFailedException.class, () -> run.getResult(String.class));
    as(TerminatedFailure.class, failed.getCause());
    equal(scene.status(), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED);
  }

  static void alreadyStarted(Scene scene) {
    var run = scene.start("Conversation");
    var refused = fails(WorkflowExecutionAlreadyStarted.class, () -> scene.start("Conversation"));
    equal(refused.getExecution(), run.getExecution());
    var tolerant = scene.options();
    tolerant.setWorkflowIdConflictPolicy(WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
    equal(scene.start(tolerant, "Conversation").getExecution(), run.getExecution());
    run.signal("say", "end");
    run.getResult(String.class);
    fails(WorkflowNotFoundException.class, () -> scene.named("nobody").status());
  }

  static void visibility(Scene scene) throws Exception {
    addLabel(scene);
    var before = SearchAttributes.newBuilder().set(RelatedWorkflows.LABEL, "before").build();
    scene.start(scene.options().setTypedSearchAttributes(before), "Labelled", scene.id()).getResult(Void.class);
    var labelled = RelatedWorkflows.LABEL.getName() + " = '" + scene.id() + "'";
    var query = labelled + " AND ExecutionStatus = 'Completed'";
    eventually(() -> scene.client().countWorkflows(query).getCount() == 1);
    var listed = scene.client().listExecutions(query).toList();
    equal(listed.size(), 1);
    equal(listed.get(0).getExecution().getWorkflowId(), scene.id());
    equal(listed.get(0).getMemo("label", String.class), scene.id());
  }

  private static void addLabel(Scene scene) {
    var channel = scene.client().getWorkflowServiceStubs().getRawChannel();
    var request =
        AddSearchAttributesRequest.newBuilder()
            .setNamespace(scene.client().getOptions().getNamespace())
            .putSearchAttributes(RelatedWorkflows.LABEL.getName(), IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
            .build();
    try {
      OperatorServiceGrpc.newBlockingStub(channel).addSearchAttributes(request);
    } catch (StatusRuntimeException refused) {
      equal(refused.getStatus().getCode(), Status.Code.ALREADY_EXISTS);
    }
  }

  private LifeCases() {}
}
