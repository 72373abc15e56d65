"""Tasks that wait for one another: groups, locks, and what runs once or last."""

from hugo.sync.defer import defer, defer_async
from hugo.sync.errgroup import ErrGroup
from hugo.sync.mutex import Mutex
from hugo.sync.once import Once
from hugo.sync.pool import Pool
from hugo.sync.run import run
from hugo.sync.rwmutex import RwMutex
from hugo.sync.waitgroup import WaitGroup

__all__ = ["ErrGroup", "Mutex", "Once", "Pool", "RwMutex", "WaitGroup", "defer", "defer_async", "run"]
