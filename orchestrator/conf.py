"""The settings of the library: one dict `HUGO` in the project's settings, every key with a default here."""

import dataclasses
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

MIB = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class HugoSettings:
    """Every key of the `HUGO` dict, in lower case, with its default.

    Attributes:
        shard_count: shards of a new database; fixed by its first migrate. None: 4 on SQLite, 512 elsewhere.
        database: the Django database alias the server keeps its state in.
        redis_url: the Redis over which the processes of a cluster wake each other; empty for none.
        celery_app: dotted path of the Celery application whose workers on `hugo.*` queues own shards; empty for none.
        default_namespace_retention: seconds the namespace `default` keeps closed executions.
        transport: `auto`, `envoy` or `aio`.
        trusted_network: whether `hugo frontend` may listen beyond loopback although calls are not authenticated: only
            trusted clients reach the network it listens on.
        reflection: whether the aio transport serves gRPC reflection.
        rest_permission: dotted path of the permission class that guards the HTTP API; by default nobody may use it.
        developer_login: whether `hugo dev` may make the user "admin" with the password "admin" when there is no user.
        server_version: the version told to clients; a plain `1.x.y`, SDKs parse it.
        shard_lease: seconds after its last heartbeat for which a process keeps its shards; when it dies, nobody fires
            their timers for so long.
        writer_lanes: threads that commit, each with its own connection; SQLite always uses one. More of them make
            smaller batches and compete for the interpreter lock; they pay where the database is far away.
        http_threads: requests of the HTTP port that are answered at a time, each with its own connection.
        batch_limit: transitions in one commit, at most.
        cached_states: mutable states kept in memory, at most.
        cached_states_size: bytes of them and their histories, at most.
        sweep_interval: seconds between two looks for stored tasks nobody told this process of.
        dead_letter_attempts: failures after which a wake-up or a debt between runs is put aside for an operator; pauses
            grow to half a minute. Failures that will pass, such as those of a database that is away, do not count.
        scavenger_interval: seconds between two looks at all runs for damage; 0 for never.
        poll_timeout: seconds an idle poll waits before it is answered empty.
        history_poll_timeout: seconds a history long poll waits before it is answered empty.
        waiters_interval: seconds between two looks at the runs that callers wait for and other processes may have
            changed; 1 at most while processes cannot hear each other.
        update_poll_timeout: seconds a call waits for the stage of an update before it is answered with the present one.
        limit_*: bytes, unless the name says count; what happens above each is in `docs/reference/limits.md`.
        suggest_continue_as_new_count: events from which a workflow task suggests to continue as new.
        suggest_continue_as_new_size: history bytes from which it does.
        default_workflow_task_timeout: seconds.
        maximum_workflow_task_timeout: seconds.
        workflow_task_heartbeat_timeout: seconds a workflow task may be kept alive by heartbeats.
        sticky_poller_window: seconds after its last poll that a sticky queue counts as served.
        maximum_buffered_queries: queries that wait in one run for its workflow task.
    """

    shard_count: int | None = None
    database: str = "default"
    redis_url: str = ""
    celery_app: str = ""
    default_namespace_retention: int = 24 * 3600
    transport: str = "auto"
    trusted_network: bool = False
    reflection: bool = False
    rest_permission: str = "orchestrator.rest.permissions.Nobody"
    developer_login: bool = False
    server_version: str = "1.30.1"
    shard_lease: float = 7.0
    writer_lanes: int = 1
    http_threads: int = 4
    batch_limit: int = 256
    cached_states: int = 10_000
    cached_states_size: int = 64 * MIB
    sweep_interval: float = 2.0
    dead_letter_attempts: int = 12
    scavenger_interval: float = 6 * 3600.0
    poll_timeout: float = 60.0
    history_poll_timeout: float = 20.0
    waiters_interval: float = 5.0
    update_poll_timeout: float = 20.0
    limit_blob_size: int = 2 * MIB
    limit_memo_size: int = 2 * MIB
    limit_request_size: int = 4 * MIB
    limit_id_length: int = 1000
    limit_history_size: int = 50 * MIB
    limit_history_count: int = 51_200
    limit_state_size: int = 8 * MIB
    limit_transaction_size: int = 4 * MIB
    limit_activity_failure_size: int = 4096
    limit_pending_activities_count: int = 2000
    limit_pending_children_count: int = 2000
    limit_pending_external_signals_count: int = 2000
    limit_pending_external_cancels_count: int = 2000
    limit_signals_count: int = 10_000
    limit_updates_in_flight_count: int = 10
    limit_updates_in_flight_size: int = 20 * MIB
    limit_updates_count: int = 2000
    limit_buffered_events_count: int = 100
    limit_buffered_events_size: int = 2 * MIB
    limit_search_attributes_count: int = 100
    limit_search_attribute_size: int = 2048
    limit_search_attributes_size: int = 40 * 1024
    limit_links_count: int = 10
    limit_link_size: int = 4000
    suggest_continue_as_new_count: int = 4096
    suggest_continue_as_new_size: int = 4 * MIB
    default_workflow_task_timeout: int = 10
    maximum_workflow_task_timeout: int = 120
    workflow_task_heartbeat_timeout: int = 30 * 60
    sticky_poller_window: float = 10.0
    maximum_buffered_queries: int = 100


_FIELDS = {field.name.upper(): field for field in dataclasses.fields(HugoSettings)}
_loaded: HugoSettings | None = None


def load(values: dict[str, Any]) -> HugoSettings:
    """Builds the settings from a `HUGO` dict; raises ImproperlyConfigured for a key that does not exist."""
    unknown = sorted(set(values) - set(_FIELDS))
    if unknown:
        raise ImproperlyConfigured(
            f"HUGO has unknown keys: {', '.join(unknown)}. Known are: {', '.join(sorted(_FIELDS))}."
        )
    return HugoSettings(**{key.lower(): value for key, value in values.items()})


def hugo_settings() -> HugoSettings:
    """The settings in force; read once, and again after a test changed them."""
    global _loaded
    if _loaded is None:
        _loaded = load(getattr(settings, "HUGO", {}))
    return _loaded


def _reload(*, setting: str, **_: Any) -> None:
    global _loaded
    if setting == "HUGO":
        _loaded = None


setting_changed.connect(_reload)
