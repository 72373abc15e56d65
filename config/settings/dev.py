"""A development server on loopback: SQLite in the data directory unless DATABASE_URL says otherwise."""

from config import secret
from config.settings.base import *  # noqa: F403
from config.settings.base import DATA_DIR, HUGO, env

DEBUG = env.bool("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="") or secret.load_or_create(DATA_DIR)

HUGO = HUGO | {"REST_PERMISSION": "orchestrator.rest.permissions.Loopback", "DEVELOPER_LOGIN": True}
SERVE_STATIC = True
