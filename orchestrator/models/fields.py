"""The type of columns that hold names and ids of clients."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class NameField(models.CharField):
    """Text of at most `max_length` bytes of UTF-8, the same as another only when every byte is.

    MySQL's text types ignore case and trailing spaces by default, and an index over a thousand of their characters is
    too long for it. So there the column is binary, which has neither trouble.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """See Field."""
        if connection.vendor == "mysql":
            return f"varbinary({self.max_length})"
        return super().db_type(connection)

    def from_db_value(self, value: Any, expression: object, connection: BaseDatabaseWrapper) -> Any:
        """See Field."""
        return value.decode() if isinstance(value, bytes) else value
