"""Deterministic records in Redis, for those who can afford to lose them with it."""

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING

from hugo.deterministic import DeterministicRecord

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEY_PREFIX = "hugo:deterministic:"

# The version is compared as text: numbers of Lua are not exact beyond 2**53.
REPLACE = """
local found = redis.call('HGET', KEYS[1], 'version')
if found ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'record', ARGV[3])
if ARGV[4] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) else redis.call('PERSIST', KEYS[1]) end
return 1
"""
ADD = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'record', ARGV[2])
if ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
"""
PUT = """
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'record', ARGV[2])
if ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) else redis.call('PERSIST', KEYS[1]) end
return 1
"""


class RedisStateStore:
    """A `hugo.deterministic.DeterministicStateStore` in Redis: a hash under `hugo:deterministic:` and the key.

    Each change is one script, so it is atomic for all clients. What Redis raises propagates.
    """

    def __init__(self, client: "Redis", *, ttl: float | None = None) -> None:
        """`ttl` is the seconds after which a record that has not changed is forgotten; None keeps it."""
        self._client = client
        self._ttl = "" if ttl is None else str(int(ttl * 1000))
        self._put, self._add, self._replace = (client.register_script(script) for script in (PUT, ADD, REPLACE))

    async def get(self, key: str) -> DeterministicRecord | None:
        """The record, or None."""
        text = await self._client.hget(KEY_PREFIX + key, "record")
        return None if text is None else _read(text)

    async def put(self, key: str, record: DeterministicRecord) -> None:
        """Keeps the record, in place of an earlier one."""
        await self._put([KEY_PREFIX + key], [str(record.version), _write(record), self._ttl])

    async def add(self, key: str, record: DeterministicRecord) -> bool:
        """Keeps the record if there is none under this key; tells whether it did."""
        added = await self._add([KEY_PREFIX + key], [str(record.version), _write(record), self._ttl])
        return bool(added)

    async def replace(self, key: str, record: DeterministicRecord, *, expected: int) -> bool:
        """Keeps the record in place of one with the version `expected`; tells whether it did."""
        arguments = [str(expected), str(record.version), _write(record), self._ttl]
        return bool(await self._replace([KEY_PREFIX + key], arguments))


def _write(record: DeterministicRecord) -> str:
    return json.dumps(
        {
            "kind": record.kind,
            "version": record.version,
            "recordedAt": record.recorded_at.isoformat(),
            "payload": base64.b64encode(record.payload).decode("ascii"),
        }
    )


def _read(text: bytes | str) -> DeterministicRecord:
    parts = json.loads(text)
    return DeterministicRecord(
        parts["kind"],
        parts["version"],
        base64.b64decode(parts["payload"]),
        datetime.fromisoformat(parts["recordedAt"]),
    )
