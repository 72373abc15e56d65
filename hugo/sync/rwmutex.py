"""`RwMutex`: many readers or one writer."""

from collections.abc import Callable

from hugo.cancellation import CancelToken
from hugo.line import Line
from hugo.loops import LoopOwned
from hugo.sync.held import Held, once


class RwMutex(LoopOwned):
    """A lock for tasks, shared by readers or held by one writer.

    Writers come first: while one waits, no further reader is let in. It is not re-entrant.
    """

    __slots__ = ("_reader_line", "_readers", "_writer_line", "_writing")

    def __init__(self) -> None:
        super().__init__()
        self._readers = 0
        self._writing = False
        self._reader_line = Line(self._reader_leaves)
        self._writer_line = Line(self._writer_leaves)

    def rlock(self, token: CancelToken | None = None) -> Held:
        """`async with` it to share the lock during the block. Raises OperationCanceled when the token fires first."""
        return Held(self._share, self._reader_leaves, token)

    def lock(self, token: CancelToken | None = None) -> Held:
        """`async with` it to hold the lock alone. Raises OperationCanceled when the token fires first."""
        return Held(self._take, self._writer_leaves, token)

    async def acquire_read(self, token: CancelToken | None = None) -> Callable[[], None]:
        """Shares the lock; returns what releases it, once, however often it is called."""
        await self._share(token)
        return once(self._reader_leaves)

    async def acquire(self, token: CancelToken | None = None) -> Callable[[], None]:
        """Takes the lock alone; returns what releases it, once, however often it is called."""
        await self._take(token)
        return once(self._writer_leaves)

    async def _share(self, token: CancelToken | None) -> None:
        self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        if self._writing or self._writer_line.waiting:
            await self._reader_line.wait(token)
        else:
            self._readers += 1

    async def _take(self, token: CancelToken | None) -> None:
        self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        if self._writing or self._readers or self._writer_line.waiting:
            try:
                await self._writer_line.wait(token)
            except BaseException:
                # Readers may have waited for this writer alone.
                self._admit()
                raise
        else:
            self._writing = True

    def _reader_leaves(self) -> None:
        self._readers -= 1
        self._admit()

    def _writer_leaves(self) -> None:
        self._writing = False
        self._admit()

    def _admit(self) -> None:
        """Lets in the next writer if the lock is free, or all waiting readers if no writer waits."""
        if self._writing:
            return
        if not self._readers and self._writer_line.call():
            self._writing = True
        elif not self._writer_line.waiting:
            while self._reader_line.call():
                self._readers += 1
