"""The periodic ticks of a cluster: there after migrate, once, and the operator's from then on."""

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from orchestrator.services.ticks import TICKS, register_ticks


def names() -> list[str]:
    """The names of the ticks."""
    return sorted(PeriodicTask.objects.values_list("name", flat=True))


def test_migrate_makes_them(default_database: str) -> None:
    assert names() == sorted(f"{tick.queue} tick" for tick in TICKS)
    timer = PeriodicTask.objects.get(name="hugo.timer tick")
    assert (timer.task, timer.queue, timer.interval.every, timer.enabled) == ("hugo.timer", "hugo.timer", 10, True)
    assert timer.expire_seconds == 10


def test_what_an_operator_changed_stays(default_database: str) -> None:
    timer = PeriodicTask.objects.get(name="hugo.timer tick")
    timer.enabled = False
    timer.interval = IntervalSchedule.objects.create(every=3, period=IntervalSchedule.MINUTES)
    timer.save()
    PeriodicTask.objects.get(name="hugo.system tick").delete()
    register_ticks("default")
    register_ticks("default")
    assert names() == sorted(f"{tick.queue} tick" for tick in TICKS)
    timer.refresh_from_db()
    assert (timer.enabled, timer.interval.every) == (False, 3)


def test_several_equal_intervals_are_borne(default_database: str) -> None:
    IntervalSchedule.objects.create(every=10, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.all().delete()
    register_ticks("default")
    assert len(names()) == len(TICKS)


def test_other_databases_get_none(default_database: str, sqlite_url: str) -> None:
    PeriodicTask.objects.all().delete()
    register_ticks("another")
    assert names() == []
