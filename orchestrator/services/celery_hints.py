"""Hints to the owners of shards as Celery messages: a worker that consumes the queue looks, or passes them on.

What comes up while one message is sent, or within a moment after it, makes up the next: a burst costs a few messages.
Nobody waits for the broker but a thread of its own; what it was about to send when the broker went away is lost.
"""

import logging
import threading
from collections.abc import Callable, Collection

from celery import Celery
from kombu import Connection, Producer

from orchestrator.services.shard_hints import Hints

logger = logging.getLogger(__name__)

MOMENT = 0.02
"""Seconds between two messages to a queue; the first is sent at once."""
BACKLOG = 100
"""Messages that wait in a queue, from which on no more are added: nobody takes them, or more slowly than they come."""
PAUSE = 1.0
"""Seconds without an attempt after the broker could not be reached."""
STOP_SECONDS = 5.0


class CeleryHints:
    """See `orchestrator.services.shard_hints.Hints`.

    Args:
        app: the application whose workers consume the `hugo.*` queues.
        role: of the owner of a shard; empty when nobody is known to own it.
        others: where hints go for shards that a process of another kind owns.
    """

    def __init__(self, app: Celery, role: Callable[[int], str], others: Hints) -> None:
        self._app = app
        self._role = role
        self._others = others
        self._lock = threading.Lock()
        self._waiting: dict[str, set[int]] = {}
        self._some = threading.Event()
        self._stopping = threading.Event()
        self._away = False
        self._thread: threading.Thread | None = None

    def wake(self, queue: str, shards: Collection[int]) -> None:
        """See Hints; the first one starts the thread."""
        others = [shard for shard in shards if self._role(shard) not in ("", "worker")]
        if others:
            self._others.wake(queue, others)
        if len(others) == len(shards):
            return
        with self._lock:
            self._waiting.setdefault(queue, set()).update(set(shards).difference(others))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hugo-hints", daemon=True)
                self._thread.start()
        self._some.set()

    def stop(self) -> None:
        """See Hints; leaves the thread behind while the broker holds it up."""
        self._others.stop()
        self._stopping.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._app.connection_for_write() as connection:
                    self._send_over(connection)
            except Exception as error:
                if not self._away:
                    logger.warning("no hints for the owners of shards: the broker does not answer (%s)", error)
                self._away = True
                self._stopping.wait(PAUSE)

    def _send_over(self, connection: Connection) -> None:
        """Sends until it is told to stop; raises what keeps it from that."""
        # Not the default channel, which waits until there is a broker.
        channel = connection.channel()  # type: ignore[no-untyped-call]
        producer = self._app.amqp.Producer(channel, auto_declare=False)
        while not self._stopping.is_set():
            self._some.wait()
            self._some.clear()
            with self._lock:
                waiting, self._waiting = self._waiting, {}
            for queue, shards in waiting.items():
                self._send(producer, f"hugo.{queue}", sorted(shards))
            if self._away:
                self._away = False
                logger.warning("the broker answers again")
            self._stopping.wait(MOMENT)

    def _send(self, producer: Producer, name: str, shards: list[int]) -> None:
        if producer.channel.queue_declare(queue=name, durable=True).message_count < BACKLOG:
            self._app.send_task(name, kwargs={"shards": shards}, queue=name, producer=producer, retry=False)
