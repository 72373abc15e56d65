"""Whether what callers saw of one workflow id can be put into one order in which each call took effect at one moment.

The runs of such an id wait for ever, so nothing but a call opens or closes one: the id is a register, and the search is
the one of Wing and Gong. What the database says of a run tells of every call nobody heard the answer of whether it took
effect, so that only the moment is searched.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import msgspec

NEVER = math.inf
"""When a call ends whose answer nobody heard."""


class Reuse(Enum):
    """What a start does about a closed run; the numbers of temporal.api.enums.v1.WorkflowIdReusePolicy."""

    ALLOW = 1
    FAILED_ONLY = 2
    REJECT = 3


class Conflict(Enum):
    """What a start does about an open run; the numbers of temporal.api.enums.v1.WorkflowIdConflictPolicy."""

    FAIL = 1
    USE = 2
    TERMINATE = 3


class Start(msgspec.Struct, frozen=True, tag=True):
    """Asks for a run."""

    request_id: str
    reuse: Reuse
    conflict: Conflict


class Terminate(msgspec.Struct, frozen=True, tag=True):
    """Ends the current run; its reason tells it from every other call."""

    reason: str


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Looks at the current run."""


class Outcome(Enum):
    """How a call was answered."""

    BEGAN = "a run began"
    USED = "the open run is used"
    REFUSED = "another run forbids it"
    ENDED = "the run is terminated"
    ABSENT = "there is no open run, or none at all"
    OPEN = "the run is open"
    CLOSED = "the run is closed"


class Attempt(msgspec.Struct, frozen=True):
    """One call.

    Attributes:
        begun, ended: seconds on the clock of all callers; `ended` is NEVER when there was no answer.
        call: what was asked.
        outcome: None when there was no answer.
        run_id: the run the answer names; empty when it names none.
    """

    begun: float
    ended: float
    call: Start | Terminate | Describe
    outcome: Outcome | None = None
    run_id: str = ""


class Run(msgspec.Struct, frozen=True):
    """What the database has of one run: the request that began it, and the reason it was terminated with."""

    request_id: str
    reason: str


class Register(msgspec.Struct, frozen=True):
    """The state of an id: its current run, whether that is open, and all runs there were."""

    run_id: str = ""
    is_open: bool = False
    begun: frozenset[str] = frozenset()

    def begin(self, run_id: str) -> "Register":
        """With a new run."""
        return Register(run_id, True, self.begun | {run_id})

    def end(self) -> "Register":
        """With its run closed."""
        return Register(self.run_id, False, self.begun)


def order(attempts: Sequence[Attempt], runs: Mapping[str, Run]) -> list[Attempt] | None:
    """An order that explains every answer and ends with exactly these runs; None when there is none."""
    calls = sorted(effective(attempts, runs), key=lambda each: (each.ended, each.begun))
    stack: list[tuple[int, Register, tuple[int, ...]]] = [(0, Register(), ())]
    seen: set[tuple[int, Register]] = set()
    everything = (1 << len(calls)) - 1
    while stack:
        done, register, path = stack.pop()
        if done == everything:
            if register.begun == runs.keys():
                return [calls[index] for index in path]
            continue
        waiting = [index for index in range(len(calls)) if not done >> index & 1]
        horizon = min(calls[index].ended for index in waiting)
        for index in reversed(waiting):
            if calls[index].begun > horizon:
                continue
            for following in after(register, calls[index], runs):
                place = (done | 1 << index, following)
                if place not in seen:
                    seen.add(place)
                    stack.append((*place, (*path, index)))
    return None


def effective(attempts: Sequence[Attempt], runs: Mapping[str, Run]) -> Iterator[Attempt]:
    """The calls that were answered, and of the others those that took effect, or may have."""
    requests = {run.request_id for run in runs.values()}
    reasons = {run.reason for run in runs.values()}
    for each in attempts:
        match each.call:
            case _ if each.outcome is not None:
                yield each
            case Start(request_id=request_id) if request_id in requests:
                yield each
            case Terminate(reason=reason) if reason in reasons:
                yield each


def after(register: Register, attempt: Attempt, runs: Mapping[str, Run]) -> Iterator[Register]:
    """What an attempt makes of a register, if it can be answered there as it was."""
    match attempt.call:
        case Start() as start:
            yield from _started(register, start, attempt, runs)
        case Terminate(reason=reason):
            if attempt.outcome is Outcome.ABSENT:
                if not register.is_open:
                    yield register
            elif register.is_open and runs[register.run_id].reason == reason:
                yield register.end()
        case Describe():
            seen = Outcome.OPEN if register.is_open else Outcome.CLOSED if register.run_id else Outcome.ABSENT
            if (attempt.outcome, attempt.run_id) == (seen, register.run_id):
                yield register


def _started(register: Register, start: Start, attempt: Attempt, runs: Mapping[str, Run]) -> Iterator[Register]:
    """Every run here ends by being terminated, so FAILED_ONLY lets another one follow as ALLOW does."""
    unheard = attempt.outcome is None
    if unheard:
        yield register
    current = runs.get(register.run_id)
    if current is not None and current.request_id == start.request_id:
        expected = Outcome.BEGAN  # a repetition is answered as the call it repeats
    elif register.is_open and start.conflict is Conflict.FAIL:
        expected = Outcome.REFUSED
    elif register.is_open and start.conflict is Conflict.USE:
        expected = Outcome.USED
    elif register.run_id and not register.is_open and start.reuse is Reuse.REJECT:
        expected = Outcome.REFUSED
    else:
        for run_id, run in runs.items():
            asked = run.request_id == start.request_id and run_id not in register.begun
            if asked and (unheard or (attempt.outcome, attempt.run_id) == (Outcome.BEGAN, run_id)):
                yield register.begin(run_id)
        return
    if (attempt.outcome, attempt.run_id) == (expected, register.run_id):
        yield register
