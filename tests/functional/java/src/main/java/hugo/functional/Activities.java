package hugo.functional;

import io.temporal.activity.ActivityInterface;

@ActivityInterface
public interface Activities {
  String compose(String name);

  /** Fails before its third attempt. */
  int flaky();

  void fail();

  /** Somebody else completes it: its token goes to its workflow as a signal. */
  String elsewhere();

  /** Heartbeats until it is cancelled. */
  void forever();

  /** Lasts until the worker has prolonged the workflow task in which it runs. */
  int outlastTask();
}
