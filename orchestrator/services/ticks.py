"""The periodic hints of a cluster: rows of django-celery-beat, made once and then the operator's to change.

A tick is a backstop: the owners of shards look at their rows by themselves. So several beats at once, or none, change
nothing but how often somebody looks.
"""

from typing import NamedTuple

from django.apps import apps
from django.db import router, transaction

from orchestrator.services.bootstrap import is_complete

BEAT = "django_celery_beat"


class Tick(NamedTuple):
    """One periodic hint.

    Attributes:
        queue: the Celery queue, which is the name of the task too.
        seconds: between two of them.
        purpose: shown to operators.
    """

    queue: str
    seconds: int
    purpose: str


TICKS = (
    Tick("hugo.timer", 10, "Owners of shards look for timers that are due."),
    Tick("hugo.transfer", 10, "Owners of shards look for what runs owe to other runs."),
    Tick("hugo.history", 60, "Owners of shards look for runs without a reason to be awake."),
    Tick("hugo.visibility", 60, "Owners of shards compare lists with runs."),
    Tick("hugo.system", 10, "Members look at who is there, and at shards without owner."),
)


def register_ticks(using: str, **_: object) -> None:
    """Receiver of `post_migrate`: makes the ticks that are missing, where django-celery-beat keeps its rows.

    A tick that is there stays as it is; one that was deleted comes back, one that was disabled stays disabled.
    """
    if not apps.is_installed(BEAT):
        return
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    if router.db_for_write(PeriodicTask) != using or not is_complete(using, BEAT):
        return
    with transaction.atomic(using=using):
        for tick in TICKS:
            name = f"{tick.queue} tick"
            tasks = PeriodicTask.objects.using(using)
            if tasks.filter(name=name).exists():
                continue
            intervals = IntervalSchedule.objects.using(using)
            every = {"every": tick.seconds, "period": IntervalSchedule.SECONDS}
            interval = intervals.filter(**every).first() or intervals.create(**every)
            tasks.create(
                name=name,
                task=tick.queue,
                queue=tick.queue,
                interval=interval,
                expire_seconds=tick.seconds,
                description=tick.purpose,
            )
