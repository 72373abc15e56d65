package hugo.functional;

import io.temporal.client.WorkflowClient;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The cases of the Java SDK against the server at an address; one line a case, status 1 when one failed. */
public final class Main {
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  /** What a case does; it fails by throwing. */
  interface Case {
    void run(Scene scene) throws Exception;
  }

  private static Map<String, Case> cases() {
    var cases = new LinkedHashMap<String, Case>();
    cases.put("hello", ActivityCases::hello);
    cases.put("activity-retry", ActivityCases::activityRetry);
    cases.put("activity-failure", ActivityCases::activityFailure);
    cases.put("async-completion", ActivityCases::asyncCompletion);
    cases.put("local-activity", ActivityCases::localActivity);
    cases.put("long-local-activity", ActivityCases::longLocalActivity);
    cases.put("timer", ActivityCases::timer);
    cases.put("signal", MessageCases::signal);
    cases.put("signal-with-start", MessageCases::signalWithStart);
    cases.put("query", MessageCases::query);
    cases.put("update", MessageCases::update);
    cases.put("update-with-start", MessageCases::updateWithStart);
    cases.put("child-workflow", RelatedCases::childWorkflow);
    cases.put("external-workflow", RelatedCases::externalWorkflow);
    cases.put("continue-as-new", RelatedCases::continueAsNew);
    cases.put("workflow-retry", RelatedCases::workflowRetry);
    cases.put("cron", RelatedCases::cron);
    cases.put("cancel", LifeCases::cancel);
    cases.put("terminate", LifeCases::terminate);
    cases.put("already-started", LifeCases::alreadyStarted);
    cases.put("visibility", LifeCases::visibility);
    cases.put("replay", ReplayCases::replay);
    cases.put("versioning", ReplayCases::versioning);
    return cases;
  }

  public static void main(String[] arguments) {
    if (arguments.length != 1) {
      System.err.println("usage: Main HOST:PORT");
      System.exit(2);
    }
    System.exit(runAll(arguments[0]) > 0 ? 1 : 0);
  }

  private static int runAll(String address) {
    var options = WorkflowServiceStubsOptions.newBuilder().setTarget(address).build();
    var stubs = WorkflowServiceStubs.newConnectedServiceStubs(options, PATIENCE);
    var queue = "java-" + UUID.randomUUID().toString().substring(0, 8);
    var scene = new Scene(WorkflowClient.newInstance(stubs), queue, queue);
    var failed = 0;
    var working = scene.working(Scene.CACHED, Work.everything());
    for (var each : cases().entrySet()) {
      try {
        within(PATIENCE, each.getValue(), scene.named(each.getKey()));
        System.out.println("ok " + each.getKey());
      } catch (ExecutionException failure) {
        failed++;
        failure.getCause().printStackTrace();
        System.out.printf("FAILED %s: %s%n", each.getKey(), failure.getCause());
      } catch (TimeoutException | InterruptedException failure) {
        failed++;
        System.out.printf("FAILED %s: not done after %d s%n", each.getKey(), PATIENCE.toSeconds());
      }
    }
    working.close();
    stubs.shutdown();
    return failed;
  }

  private static void within(Duration patience, Case each, Scene scene)
      throws ExecutionException, TimeoutException, InterruptedException {
    var task =
        new FutureTask<Void>(
            () -> {
              each.run(scene);
              return null;
            });
    var thread = new Thread(task, scene.id());
    thread.setDaemon(true);
    thread.start();
    task.get(patience.toSeconds(), TimeUnit.SECONDS);
  }
}
