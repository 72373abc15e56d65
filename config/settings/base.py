"""Settings shared by every environment. Each value an operator may change is an environment variable."""

from pathlib import Path
from typing import Any

import environ

from config import brokers, databases

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATA_DIR = Path(env.str("HUGO_DATA_DIR", default=str(BASE_DIR / ".hugo"))).absolute()

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_celery_beat",
    "orchestrator.apps.OrchestratorConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"

DATABASES: dict[str, dict[str, Any]] = {
    "default": databases.from_url(
        env.str("DATABASE_URL", default=databases.sqlite_url(DATA_DIR / "hugo.sqlite3")),
        statement_timeout_ms=env.int("DATABASE_STATEMENT_TIMEOUT_MS", default=databases.STATEMENT_TIMEOUT_MS),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

HUGO_FROM_ENVIRONMENT = {
    "HUGO_CELERY_APP": ("CELERY_APP", env.str),
    "REDIS_URL": ("REDIS_URL", env.str),
    "HUGO_HTTP_THREADS": ("HTTP_THREADS", env.int),
    "HUGO_SHARD_COUNT": ("SHARD_COUNT", env.int),
    "HUGO_SHARD_LEASE": ("SHARD_LEASE", env.float),
    "HUGO_SUGGEST_CONTINUE_AS_NEW_COUNT": ("SUGGEST_CONTINUE_AS_NEW_COUNT", env.int),
    "HUGO_TRANSPORT": ("TRANSPORT", env.str),
    "HUGO_TRUSTED_NETWORK": ("TRUSTED_NETWORK", env.bool),
    "HUGO_WRITER_LANES": ("WRITER_LANES", env.int),
    "HUGO_DEFAULT_NAMESPACE_RETENTION": ("DEFAULT_NAMESPACE_RETENTION", env.int),
}
"""Environment variable -> key of HUGO and how its text is read. Defaults and meaning: `orchestrator/conf.py`."""

HUGO: dict[str, Any] = {
    key: read(variable) for variable, (key, read) in HUGO_FROM_ENVIRONMENT.items() if variable in env.ENVIRON
}

if HUGO.get("REDIS_URL"):
    HUGO.setdefault("CELERY_APP", "config.celery.app")

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
_broker = brokers.from_redis_url(env.str("CELERY_BROKER_URL", default=REDIS_URL))
CELERY_BROKER_URL = _broker.url
CELERY_BROKER_USE_SSL = _broker.tls
# Rows are the truth and messages are hints: results are not kept, and nothing but JSON is ever read from a queue.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# A task whose worker dies is delivered again; one waits for each pool process, so that none waits behind a long one.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Of all keys, so that clusters may share a Redis.
    "global_keyprefix": env.str("CELERY_KEY_PREFIX", default="hugo:"),
    # kombu waits for ever on a half-dead connection unless told otherwise; a publish must never hold up a request.
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    # What a worker has not acknowledged by then is delivered again, and again in a loop: longer than the longest task.
    # No message of ours has an ETA, which would count too.
    "visibility_timeout": env.int("CELERY_VISIBILITY_TIMEOUT", default=3600),
    **_broker.options,
}
# A worker of the hugo.* queues serves its shards while Redis is away, and is there when it comes back.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Celery closes the database connection after each task unless it is told how often it may be used again.
CELERY_DB_REUSE_MAX = 1000
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
# Whether the ASGI application serves the static files of the apps itself; elsewhere a web server does.
SERVE_STATIC = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "orchestrator": {"level": env.str("HUGO_LOG_LEVEL", default="INFO")},
        "django": {"handlers": [], "level": env.str("DJANGO_LOG_LEVEL", default="WARNING"), "propagate": True},
    },
}
