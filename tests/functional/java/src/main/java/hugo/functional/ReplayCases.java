package hugo.functional;

import static hugo.functional.Scene.equal;
import static hugo.functional.Scene.eventually;

import io.temporal.api.enums.v1.EventType;
import io.temporal.client.WorkflowStub;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkflowImplementationOptions;
import java.util.List;
import java.util.function.Consumer;

final class ReplayCases {
  /** A worker without a cache asks for the whole history each time, and replays it. */
  static void replay(Scene everywhere) throws Exception {
    var scene = everywhere.queued("uncached");
    Consumer<Worker> code = worker -> worker.registerWorkflowImplementationTypes(Drawing.Code.class);
    try (var working = scene.working(Scene.UNCACHED, code)) {
      var run = scene.start("Drawing");
      eventually(() -> !scene.eventsOf(EventType.EVENT_TYPE_TIMER_FIRED).isEmpty());
      var before = run.query("draw", Long.class);
      equal(run.query("draw", Long.class), before);
      run.signal("end");
      equal(run.getResult(Long.class), before);
      equal(scene.eventsOf(EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED), List.of());
    }
  }

  /** A run of the code before the patch goes on as it began when the worker has the code after it. */
  static void versioning(Scene everywhere) throws Exception {
    var scene = everywhere.queued("versions");
    var old = scene.named("old");
    var young = scene.named("new");
    WorkflowStub oldRun;
    WorkflowStub youngRun;
    try (var working = scene.working(Scene.CACHED, code(Patched.Before.class))) {
      oldRun = old.start("Patched");
      eventually(() -> !old.eventsOf(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED).isEmpty());
    }
    try (var working = scene.working(Scene.CACHED, code(Patched.After.class))) {
      youngRun = young.start("Patched");
      eventually(() -> !young.eventsOf(EventType.EVENT_TYPE_MARKER_RECORDED).isEmpty());
    }
    try (var working = scene.working(Scene.CACHED, code(Patched.After.class))) {
      oldRun.signal("end");
      youngRun.signal("end");
      equal(oldRun.getResult(String.class), "old");
      equal(youngRun.getResult(String.class), "new");
    }
    var query = String.format("TemporalChangeVersion = 'new-way-1' AND WorkflowId = '%s'", young.id());
    eventually(() -> scene.client().countWorkflows(query).getCount() == 1);
  }

  private static Consumer<Worker> code(Class<? extends Patched> code) {
    var options = WorkflowImplementationOptions.newBuilder().setEnableUpsertVersionSearchAttributes(true).build();
    return worker -> worker.registerWorkflowImplementationTypes(options, code);
  }

  private ReplayCases() {}
}
