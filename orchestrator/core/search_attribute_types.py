"""Which search attributes exist without being registered, their types, and which of them a client may set."""

from collections.abc import Mapping
from types import MappingProxyType

from temporalio.api.enums.v1 import IndexedValueType

TEXT = IndexedValueType.INDEXED_VALUE_TYPE_TEXT
KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
INT = IndexedValueType.INDEXED_VALUE_TYPE_INT
DOUBLE = IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE
BOOL = IndexedValueType.INDEXED_VALUE_TYPE_BOOL
DATETIME = IndexedValueType.INDEXED_VALUE_TYPE_DATETIME
KEYWORD_LIST = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST

TYPE_NAMES: Mapping[int, str] = MappingProxyType(
    {
        TEXT: "Text",
        KEYWORD: "Keyword",
        INT: "Int",
        DOUBLE: "Double",
        BOOL: "Bool",
        DATETIME: "Datetime",
        KEYWORD_LIST: "KeywordList",
    }
)
"""The types as payload metadata and error texts spell them."""

TYPE_NUMBERS: Mapping[str, int] = MappingProxyType({name: kind for kind, name in TYPE_NAMES.items()})

SYSTEM: Mapping[str, IndexedValueType.ValueType] = MappingProxyType(
    {
        "WorkflowId": KEYWORD,
        "RunId": KEYWORD,
        "WorkflowType": KEYWORD,
        "ExecutionStatus": KEYWORD,
        "TaskQueue": KEYWORD,
        "ParentWorkflowId": KEYWORD,
        "ParentRunId": KEYWORD,
        "RootWorkflowId": KEYWORD,
        "RootRunId": KEYWORD,
        "StartTime": DATETIME,
        "ExecutionTime": DATETIME,
        "CloseTime": DATETIME,
        "HistoryLength": INT,
        "HistorySizeBytes": INT,
        "ExecutionDuration": INT,
        "StateTransitionCount": INT,
    }
)
"""What the server knows of every run; no client can set them."""

SETTABLE: Mapping[str, IndexedValueType.ValueType] = MappingProxyType(
    {
        "TemporalChangeVersion": KEYWORD_LIST,
        "BinaryChecksums": KEYWORD_LIST,
        "BuildIds": KEYWORD_LIST,
        "BatcherNamespace": KEYWORD,
        "BatcherUser": KEYWORD,
        "TemporalScheduledStartTime": DATETIME,
        "TemporalScheduledById": KEYWORD,
        "TemporalSchedulePaused": BOOL,
        "TemporalNamespaceDivision": KEYWORD,
        "TemporalPauseInfo": KEYWORD_LIST,
        "TemporalReportedProblems": KEYWORD_LIST,
    }
)
"""Predefined attributes that SDKs and system workflows set like custom ones."""

SERVER_ONLY: Mapping[str, IndexedValueType.ValueType] = MappingProxyType(
    {
        "TemporalWorkerDeploymentVersion": KEYWORD,
        "TemporalWorkflowVersioningBehavior": KEYWORD,
        "TemporalWorkerDeployment": KEYWORD,
        "TemporalUsedWorkerDeploymentVersions": KEYWORD_LIST,
    }
)
"""Predefined attributes that only the server sets."""

PREDEFINED: Mapping[str, IndexedValueType.ValueType] = MappingProxyType({**SETTABLE, **SERVER_ONLY})

RESERVED_NAMES = frozenset({"NamespaceId", "MemoEncoding", "Memo", "VisibilityTaskKey", *SYSTEM, *PREDEFINED})
RESERVED_PREFIX = "Temporal"


def is_reserved(name: str) -> bool:
    """Whether no custom attribute may have this name."""
    return name in RESERVED_NAMES or name.startswith(RESERVED_PREFIX)


def settable_type(name: str, custom: Mapping[str, int]) -> int | None:
    """The type of an attribute a client may set; None for the server's own and for those that do not exist."""
    found = custom.get(name)
    return SETTABLE.get(name) if found is None else found


def any_type(name: str, custom: Mapping[str, int]) -> int | None:
    """The type of any attribute; None if it does not exist."""
    return custom.get(name) or PREDEFINED.get(name) or SYSTEM.get(name)
