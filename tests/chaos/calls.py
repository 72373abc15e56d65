"""Calls of clients that reach any of several servers, and do not give up before they know."""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.journal import Journal
from tests.functional.workers import AWAY

CALL = timedelta(seconds=6)
UNHEARD = AWAY | {RPCStatusCode.ABORTED, RPCStatusCode.RESOURCE_EXHAUSTED}
"""Answers that do not tell whether the call took effect, or that it would not if it were made again."""


class Unheard(Exception):
    """Nobody answered, or not what one could rely on."""


class Calls:
    """A client of the cluster.

    Args:
        clients: one for each server.
        journal: counts what is answered.
        chance: decides who is called.
    """

    def __init__(self, clients: Sequence[Client], journal: Journal, chance: random.Random) -> None:
        self.clients = clients
        self.journal = journal
        self.chance = chance
        self.heard = time.monotonic()
        self.longest_silence = 0.0

    async def once(self, method: str, request: Message, patience: timedelta = CALL) -> Any:
        """One call of one server.

        Raises:
            Unheard: it may have taken effect or not.
            RPCError: it was refused.
        """
        service = self.chance.choice(self.clients).workflow_service
        try:
            reply = await getattr(service, method)(request, timeout=patience)
        except RPCError as error:
            if error.status not in UNHEARD:
                self._note(method)
                raise
            self.journal.unanswered[f"{method} {error.status.name}"] += 1
            raise Unheard(error.message) from None
        self._note(method)
        return reply

    async def insist(self, method: str, request: Message, patience: timedelta = CALL) -> Any:
        """The same call until it is answered; raises RPCError when it is refused."""
        while True:
            try:
                return await self.once(method, request, patience)
            except Unheard:
                await self.pause()

    async def pause(self) -> None:
        """Waits before another attempt."""
        await asyncio.sleep(self.chance.uniform(0.02, 0.5))

    def _note(self, method: str) -> None:
        now = time.monotonic()
        self.journal.answers[method] += 1
        self.longest_silence = max(self.longest_silence, now - self.heard)
        self.heard = now
