"""What lists show of a run, made from its state."""

import json
from collections.abc import Callable, Mapping

from temporalio.api.common.v1 import Memo, Payload
from temporalio.api.enums.v1 import IndexedValueType

from orchestrator.core import search_attributes
from orchestrator.core.state import ExecutionState
from orchestrator.store.ports import Record

OPEN = 2**63 - 1
"""The close time of an open run."""
DIVISION = search_attributes.key("TemporalNamespaceDivision", IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
LONGEST_DIVISION = 255


def record_of(shard_id: int, state: ExecutionState, types: Callable[[str], Mapping[str, int]]) -> Record:
    """The visibility record of a run as it is now; `types` gives the custom search attributes of a namespace."""
    closed = not state.running
    payloads, values, division = b"", "{}", ""
    if state.search_attributes:
        attributes = search_attributes.typed(_parsed(state.search_attributes), types(state.namespace_id))
        decoded = search_attributes.decode(attributes)
        payloads, values = attributes.SerializeToString(), json.dumps(decoded)
        division = str(decoded.get(DIVISION, ""))[:LONGEST_DIVISION]
    return Record(
        shard_id=shard_id,
        run_id=state.run_id,
        namespace_id=state.namespace_id,
        workflow_id=state.workflow_id,
        workflow_type=state.workflow_type,
        task_queue=state.task_queue,
        status=state.status,
        start_time=state.start_time,
        execution_time=state.execution_time,
        close_time=state.close_time if closed else OPEN,
        execution_duration=state.close_time - state.execution_time if closed else None,
        history_length=state.next_event_id - 1 if closed else None,
        history_size_bytes=state.history_size if closed else None,
        state_transition_count=state.transitions if closed else None,
        parent_workflow_id=state.parent.workflow_id if state.parent is not None else "",
        parent_run_id=state.parent.run_id if state.parent is not None else "",
        root_workflow_id=state.root_workflow_id or state.workflow_id,
        root_run_id=state.root_run_id or state.run_id,
        memo=_memo(state.memo),
        payloads=payloads,
        search_attributes=values,
        namespace_division=division,
    )


def _memo(fields: dict[str, bytes]) -> bytes:
    if not fields:
        return b""
    return Memo(fields=_parsed(fields)).SerializeToString()


def _parsed(fields: dict[str, bytes]) -> dict[str, Payload]:
    return {key: Payload.FromString(value) for key, value in fields.items()}
