"""Celery entry points: hints that a queue of some shards is worth a look; of all shards, where none is named.

A hint may be lost, doubled or late, and may reach any worker: the rows are the truth, and the worker that owns a shard
looks at them by itself.
"""

from collections.abc import Sequence

from celery import shared_task

from orchestrator.services.current import hint

IN_PLACE = "orchestrator.worker:hint_strategy"


@shared_task(name="hugo.history", queue="hugo.history", Strategy=IN_PLACE, ignore_result=True)
def history(shards: Sequence[int] = ()) -> None:
    """Runs may have lost their reason to be awake: the scavenger's pass."""
    hint("history", shards)


@shared_task(name="hugo.timer", queue="hugo.timer", Strategy=IN_PLACE, ignore_result=True)
def timer(shards: Sequence[int] = ()) -> None:
    """Timers may be due, or due before the next look."""
    hint("timer", shards)


@shared_task(name="hugo.transfer", queue="hugo.transfer", Strategy=IN_PLACE, ignore_result=True)
def transfer(shards: Sequence[int] = ()) -> None:
    """Runs may owe something to other runs."""
    hint("transfer", shards)


@shared_task(name="hugo.visibility", queue="hugo.visibility", Strategy=IN_PLACE, ignore_result=True)
def visibility(shards: Sequence[int] = ()) -> None:
    """What lists and counts show may differ from the runs."""
    hint("visibility", shards)


@shared_task(name="hugo.system", queue="hugo.system", Strategy=IN_PLACE, ignore_result=True)
def system(shards: Sequence[int] = ()) -> None:
    """Members may have come or gone, and shards be without owner."""
    hint("system", shards)
