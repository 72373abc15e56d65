"""One DATABASE_URL to one entry of Django's DATABASES, with the options that durability needs."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BUSY_TIMEOUT_S = 5
LOCK_TIMEOUT_MS = 10_000
STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000
SILENT_NETWORK_TIMEOUT_S = 20
ANSWER_TIMEOUT_S = 5
"""How much longer than a statement of MySQL may take its answer is waited for."""


def from_url(url: str, *, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> dict[str, Any]:
    """The settings of the database that `url` names; options in the URL's query win over ours."""
    config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    engine = config.get("ENGINE", "")
    if engine.endswith("sqlite3"):
        options = sqlite_options()
    elif engine.endswith("postgresql"):
        options = postgres_options(statement_timeout_ms)
        if pooled_by_transaction(config):
            # There a session's settings are refused, and its cursors get lost.
            del options["options"]
            config["DISABLE_SERVER_SIDE_CURSORS"] = True
    elif engine.endswith("mysql"):
        provide_mysql_driver()
        options = mysql_options(statement_timeout_ms)
    else:
        raise ImproperlyConfigured(
            f"DATABASE_URL has the scheme {url.partition(':')[0]!r}; sqlite, postgresql and mysql are supported."
        )
    config["OPTIONS"] = options | config.get("OPTIONS", {})
    # Server threads live as long as the process and so do their connections. A web request asks first whether the
    # connection still works, so that a restart of the database costs no failed request.
    config["CONN_MAX_AGE"] = None
    config["CONN_HEALTH_CHECKS"] = True
    return config


def sqlite_url(path: Path) -> str:
    """The DATABASE_URL of a SQLite file."""
    return f"sqlite:///{path.absolute()}"


def sqlite_options() -> dict[str, Any]:
    """WAL lets readers go on while one writes; FULL syncs each commit, because an acknowledged start must survive a
    power cut. IMMEDIATE takes the write lock at BEGIN: a transaction that reads first and writes later would else fail
    with SQLITE_BUSY at once instead of waiting.
    """
    return {
        "timeout": BUSY_TIMEOUT_S,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }


def postgres_options(statement_timeout_ms: int) -> dict[str, Any]:
    """READ COMMITTED whatever the server's default, and a bound on everything that can hang.

    The server's timeouts end what the server knows of. A host or network that falls silent answers nothing, so the
    kernel has to notice: unanswered data by tcp_user_timeout, an idle connection by keepalives.
    """
    from django.db.backends.postgresql.psycopg_any import IsolationLevel

    bounds = {
        "statement_timeout": statement_timeout_ms,
        "lock_timeout": LOCK_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
    }
    return {
        "application_name": "hugo",
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": SILENT_NETWORK_TIMEOUT_S * 1000,
        "isolation_level": IsolationLevel.READ_COMMITTED,
        "options": " ".join(f"-c {name}={value}" for name, value in bounds.items()),
    }


def pooled_by_transaction(config: dict[str, Any]) -> bool:
    """Takes `pooling` from the options of a URL, and says whether it names a pooler in transaction mode."""
    pooling = config.get("OPTIONS", {}).pop("pooling", "session")
    if pooling not in ("session", "transaction"):
        raise ImproperlyConfigured(f"DATABASE_URL says pooling={pooling}; there are session and transaction.")
    return bool(pooling == "transaction")


def mysql_options(statement_timeout_ms: int) -> dict[str, Any]:
    """READ COMMITTED takes no gap locks; strict mode refuses values that do not fit instead of cutting them.

    Whatever the server does or the network fails to tell, no answer is waited for longer than a statement may take.
    MariaDB then ends the statement too.
    """
    seconds = statement_timeout_ms // 1000
    bounds = {
        "sql_mode": "'STRICT_TRANS_TABLES'",
        "innodb_lock_wait_timeout": LOCK_TIMEOUT_MS // 1000,
        "lock_wait_timeout": seconds,
    }
    return {
        "charset": "utf8mb4",
        "connect_timeout": 5,
        "read_timeout": seconds + ANSWER_TIMEOUT_S,
        "write_timeout": seconds + ANSWER_TIMEOUT_S,
        "isolation_level": "read committed",
        "init_command": (
            f"SET SESSION {', '.join(f'{name}={value}' for name, value in bounds.items())}"
            f"/*M! , max_statement_time={seconds} */"
        ),
    }


def provide_mysql_driver() -> None:
    """Lets PyMySQL, which needs no compiler, stand in for mysqlclient where only the former is installed."""
    if find_spec("MySQLdb") is None and find_spec("pymysql") is not None:
        import pymysql

        pymysql.install_as_MySQLdb()
