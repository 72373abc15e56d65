"""Which database servers are too old for what the store relies on."""

from typing import Any

OLDEST_MYSQL = (8, 0, 19)
OLDEST_MARIADB = (10, 6)


def too_old(connection: Any) -> str:
    """The sentence that refuses the server of a Django connection; empty when it is recent enough, or no MySQL.

    Django itself refuses servers older than it supports, other databases among them.
    """
    if connection.vendor != "mysql":
        return ""
    version: tuple[int, ...] = connection.mysql_version
    name, oldest = ("MariaDB", OLDEST_MARIADB) if connection.mysql_is_mariadb else ("MySQL", OLDEST_MYSQL)
    if version >= oldest:
        return ""
    return f"{name} {_dotted(oldest)} or later is needed, and the server is {name} {_dotted(version)}: upgrade it."


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
