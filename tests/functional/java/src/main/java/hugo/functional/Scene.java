package hugo.functional;

import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowTargetOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerFactoryOptions;
import io.temporal.worker.WorkerOptions;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** What a case works with: a client, the task queue of a worker, and a workflow id of its own. */
record Scene(WorkflowClient client, String queue, String id) {
  static final int CACHED = 600;
  static final int UNCACHED = 0;

  /** A worker that stops when it is closed. */
  interface Working extends AutoCloseable {
    @Override
    void close();
  }

  /** The same scene with another workflow id. */
  Scene named(String name) {
    return new Scene(client, queue, id + "-" + name);
  }

  /** The same scene with another task queue. */
  Scene queued(String name) {
    return new Scene(client, queue + "-" + name, id);
  }

  /** Starts a worker that keeps so many workflows in memory. */
  Working working(int cacheSize, Consumer<Worker> work) {
    var options = WorkerFactoryOptions.newBuilder().setWorkflowCacheSize(cacheSize).build();
    var factory = WorkerFactory.newInstance(client, options);
    var heartbeats = WorkerOptions.newBuilder().setMaxHeartbeatThrottleInterval(Duration.ofMillis(100)).build();
    var worker = factory.newWorker(queue, heartbeats);
    worker.registerActivitiesImplementations(new RealActivities(client));
    work.accept(worker);
    factory.start();
    return () -> {
      factory.shutdownNow();
      factory.awaitTermination(20, TimeUnit.SECONDS);
    };
  }

  WorkflowOptions.Builder options() {
    return WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(queue);
  }

  WorkflowStub start(String workflow, Object... arguments) {
    return start(options(), workflow, arguments);
  }

  WorkflowStub start(WorkflowOptions.Builder options, String workflow, Object... arguments) {
    var stub = client.newUntypedWorkflowStub(workflow, options.build());
    stub.start(arguments);
    return stub;
  }

  /** A run of the workflow; the newest one when none is given. */
  WorkflowStub run(String... run) {
    var target = WorkflowTargetOptions.newBuilder().setWorkflowId(id);
    Stream.of(run).forEach(target::setRunId);
    return client.newUntypedWorkflowStub(target.build());
  }

  WorkflowExecutionStatus status(String... run) {
    return run(run).describe().getStatus();
  }

  /** The history of a run as it is now; of the newest one when none is given. */
  List<HistoryEvent> events(String... run) {
    return (run.length > 0 ? client.fetchHistory(id, run[0]) : client.fetchHistory(id)).getEvents();
  }

  List<HistoryEvent> eventsOf(EventType kind) {
    return events().stream().filter(event -> event.getEventType() == kind).toList();
  }

  /** The types of the events, without their prefix. */
  List<String> eventNames() {
    return events().stream().map(event -> event.getEventType().name().replace("EVENT_TYPE_", "")).toList();
  }

  /** Something that may not be true yet. */
  interface Condition {
    boolean holds() throws Exception;
  }

  /** Looks until it is true; the patience of a case ends it. */
  static void eventually(Condition condition) throws Exception {
    while (!condition.holds()) {
      Thread.sleep(20);
    }
  }

  static void equal(Object got, Object wanted) {
    if (!Objects.equals(got, wanted)) {
      throw new AssertionError("got " + got + ", want " + wanted);
    }
  }

  /** Something that should fail. */
  interface Attempt {
    void make() throws Exception;
  }

  /** The error of this class that the attempt fails with. */
  static <E extends Throwable> E fails(Class<E> kind, Attempt attempt) {
    try {
      attempt.make();
    } catch (Throwable error) {
      return as(kind, error);
    }
    throw new AssertionError("no " + kind.getSimpleName());
  }

  /** The same error, which must be of this class. */
  static <E extends Throwable> E as(Class<E> kind, Throwable error) {
    if (!kind.isInstance(error)) {
      throw new AssertionError("not a " + kind.getSimpleName(), error);
    }
    return kind.cast(error);
  }
}
