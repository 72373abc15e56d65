"""The Celery application takes its settings from Django's and reads nothing but JSON."""

from config.celery import app


def test_json_only_and_nothing_kept() -> None:
    assert set(app.conf.accept_content) == {"json"}
    assert app.conf.task_serializer == "json"
    assert app.conf.task_ignore_result is True
    assert app.conf.result_backend is None
    assert app.conf.task_acks_late is True
    assert app.conf.worker_prefetch_multiplier == 1


def test_broker_may_be_away_for_ever() -> None:
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.broker_connection_max_retries is None


def test_nothing_waits_for_ever_on_a_broker_that_fell_silent() -> None:
    options = app.conf.broker_transport_options
    assert options["global_keyprefix"] == "hugo:"
    assert 0 < options["socket_connect_timeout"] <= options["socket_timeout"] <= 30
    assert options["visibility_timeout"] == 3600
