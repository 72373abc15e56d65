"""The Celery application takes its settings from Django's and reads nothing but JSON."""

from config.celery import app


def test_json_only_and_nothing_kept() -> None:
    assert set(app.conf.accept_content) == {"json"}
    assert app.conf.task_serializer == "json"
    assert app.conf.task_ignore_result is True
    assert app.conf.task_acks_late is True
    assert app.conf.worker_prefetch_multiplier == 1
