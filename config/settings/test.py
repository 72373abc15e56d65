"""Settings of the test suite: a SQLite file of its own, and the private servers that `make test` starts."""

import os
import tempfile
from pathlib import Path

# Each test process has a data directory of its own, so that several of them (pytest-xdist) never share a file. It is
# only named here: tests/conftest.py makes and removes it. The variable is set before `base` reads it.
SCRATCH_DIR = Path(tempfile.gettempdir()) / f"hugo-test-{os.getpid()}"
os.environ["HUGO_DATA_DIR"] = str(SCRATCH_DIR)
os.environ.pop("DATABASE_URL", None)

from config import databases  # noqa: E402
from config.settings.base import *  # noqa: E402, F403
from config.settings.base import DATABASES, env  # noqa: E402

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
SECRET_KEY = "a key for tests, and for nothing else"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A file, not memory: threads must see one database, as in production.
DATABASES["default"]["TEST"] = {"NAME": str(SCRATCH_DIR / "test.sqlite3")}
for _alias, _variable in (("postgres", "HUGO_TEST_POSTGRES_URL"), ("mariadb", "HUGO_TEST_MARIADB_URL")):
    if _url := env.str(_variable, default=""):
        DATABASES[_alias] = databases.from_url(_url)
