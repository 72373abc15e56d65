"""Settings of the test suite: a SQLite file of its own, and the private servers that `make test` starts."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Each test process has a data directory of its own, so that several of them (pytest-xdist) never share a file. The
# variable is set before `base` reads it; a server that a test starts gets a directory of its own from the test.
_scratch = Path(tempfile.mkdtemp(prefix="hugo-test-"))
_owner = os.getpid()
os.environ["HUGO_DATA_DIR"] = str(_scratch)
os.environ.pop("DATABASE_URL", None)

from config import databases  # noqa: E402
from config.settings.base import *  # noqa: E402, F403
from config.settings.base import DATABASES, env  # noqa: E402


def _remove_scratch() -> None:
    """Removes the directory, but not when a forked child ends."""
    if os.getpid() == _owner:
        shutil.rmtree(_scratch, ignore_errors=True)


atexit.register(_remove_scratch)

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
SECRET_KEY = "a key for tests, and for nothing else"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A file, not memory: threads must see one database, as in production.
DATABASES["default"]["TEST"] = {"NAME": str(_scratch / "test.sqlite3")}
for _alias, _variable in (("postgres", "HUGO_TEST_POSTGRES_URL"), ("mariadb", "HUGO_TEST_MARIADB_URL")):
    if _url := env.str(_variable, default=""):
        DATABASES[_alias] = databases.from_url(_url)
