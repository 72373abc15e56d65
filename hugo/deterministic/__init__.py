"""Decisions and effects that come out the same however often the code around them runs."""

from hugo.deterministic.codec import JsonCodec, PayloadCodec
from hugo.deterministic.effects import Captured, EffectStore
from hugo.deterministic.gate import BranchContext, DeterministicGate, GateBuilder
from hugo.deterministic.record import EFFECT, VERSION, DeterministicRecord, RunScope
from hugo.deterministic.store import DeterministicStateStore, InMemoryStateStore
from hugo.deterministic.version_gate import DEFAULT_VERSION, VersionDecision, VersionGate, VersionGateContext

__all__ = [
    "DEFAULT_VERSION",
    "EFFECT",
    "VERSION",
    "BranchContext",
    "Captured",
    "DeterministicGate",
    "DeterministicRecord",
    "DeterministicStateStore",
    "EffectStore",
    "GateBuilder",
    "InMemoryStateStore",
    "JsonCodec",
    "PayloadCodec",
    "RunScope",
    "VersionDecision",
    "VersionGate",
    "VersionGateContext",
]
