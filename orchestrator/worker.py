"""What turns a Celery worker into a process of the cluster: an engine beside its pool, and hints that need no pool.

`app.steps["worker"].add("orchestrator.worker:EngineStep")` adds it to an application; `config/celery.py` does.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import click
from celery import Celery, Task, bootsteps
from celery.platforms import EX_FAILURE
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.worker import WorkController
from django.db import connections
from kombu.message import Message

from orchestrator.conf import hugo_settings
from orchestrator.services.bootstrap import SchemaMismatch, check_database, check_shared
from orchestrator.services.collector import settle_collector
from orchestrator.services.composition import engine_of_process
from orchestrator.services.engine_thread import EngineThread

logger = logging.getLogger(__name__)

PREFIX = "hugo."
"""How the names of the orchestrator's queues begin."""
STOP_SECONDS = 10.0
"""Seconds the engine may take to end within a warm shutdown."""

Handler = Callable[..., None]


class CannotServe(click.ClickException):
    """The worker will not start; the text is one sentence. Exit status 2."""

    exit_code = 2


class EngineStep(bootsteps.StartStopStep):
    """Runs an engine in the worker's main process, where the worker consumes any `hugo.*` queue.

    It starts after the pool, whose processes are forked without it, and before the consumer, so that shards are served
    even while Redis is away. It ends within the warm shutdown, after the consumer.
    """

    label = "Hugo"
    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: WorkController) -> bool:
        """Whether the worker has to do with the orchestrator; raises CannotServe where it has and cannot."""
        if not any(name.startswith(PREFIX) for name in worker.app.amqp.queues.consume_from):
            return False
        if worker.pool_cls.is_green:
            raise CannotServe(
                f"A worker of the {PREFIX}* queues cannot run in greenlets, which stop all of a process while one of "
                "them waits for the database: use --pool prefork, threads or solo."
            )
        alias = hugo_settings().database
        try:
            check_shared(alias)
            check_database(alias)
        except SchemaMismatch as error:
            raise CannotServe(str(error)) from error
        finally:
            connections[alias].close()
        return True

    def create(self, worker: WorkController) -> EngineThread:
        """The engine, not started yet."""
        return EngineThread(partial(engine_of_process, "worker"), end_worker, STOP_SECONDS)

    def start(self, parent: WorkController) -> None:
        """Returns when the engine works; raises what kept it from that."""
        super().start(parent)
        settle_collector()


def end_worker() -> None:
    """Begins the warm shutdown of a worker whose engine has died; its status 1 makes a supervisor start a new one."""
    state.should_stop = EX_FAILURE


def hint_strategy(task: Task, app: Celery, consumer: Consumer, **_: Any) -> Handler:
    """Celery's strategy of the tasks in `orchestrator.tasks`: run where the message arrives, at once, and acknowledge.

    A pool process has no engine to tell, and a message through the pool costs more than what it says is worth.
    """

    def handle(message: Message, body: Any, ack: Callable[..., None], reject: Any, callbacks: Any, **_: Any) -> None:
        try:
            arguments, named, _ = message.payload
            task(*arguments, **named)
        except Exception as error:
            logger.warning("a message of %s cannot be used: %s", task.name, error)
        ack(logger, consumer.connection_errors)

    return handle
