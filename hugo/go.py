"""One place to import from: `from hugo.go import WaitGroup, make_channel, select, ok, err`."""

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import Channel, ChannelClosed, FullMode, PrioritizedChannel, bounded_channel, make_channel
from hugo.errors import Error, ErrorCode
from hugo.pipelines import FallbackTier, race, retry, tiered_fallback, when_all
from hugo.result import Err, Ok, Result, err, ok, with_timeout
from hugo.select import SelectBuilder, broadcast, fan_in, fan_out, merge, on, select, select_fan_in
from hugo.sync import ErrGroup, Mutex, Once, Pool, RwMutex, WaitGroup, defer, defer_async, run
from hugo.timers import Ticker, after, after_async, delay, new_ticker, tick

UNIT = None
"""The value of a Result that has nothing to say."""

ticker = new_ticker

__all__ = [
    "UNIT",
    "CancelToken",
    "Channel",
    "ChannelClosed",
    "Err",
    "ErrGroup",
    "Error",
    "ErrorCode",
    "FallbackTier",
    "FullMode",
    "Mutex",
    "Ok",
    "Once",
    "OperationCanceled",
    "Pool",
    "PrioritizedChannel",
    "Result",
    "RwMutex",
    "SelectBuilder",
    "Ticker",
    "WaitGroup",
    "after",
    "after_async",
    "bounded_channel",
    "broadcast",
    "defer",
    "defer_async",
    "delay",
    "err",
    "fan_in",
    "fan_out",
    "make_channel",
    "merge",
    "new_ticker",
    "ok",
    "on",
    "race",
    "retry",
    "run",
    "select",
    "select_fan_in",
    "tick",
    "ticker",
    "tiered_fallback",
    "when_all",
    "with_timeout",
]
