"""Options of an open run that are changed from outside: its priority and its versioning override."""

from collections.abc import Iterable

from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.enums.v1 import EventType, VersioningBehavior
from temporalio.api.history.v1 import WorkflowExecutionOptionsUpdatedEventAttributes
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions

from orchestrator.core.priority import validate
from orchestrator.core.run import Run
from orchestrator.core.state import ExecutionState
from orchestrator.errors import FailedPrecondition, InvalidArgument, Unimplemented


def check(options: WorkflowExecutionOptions, mask: FieldMask) -> None:
    """Raises InvalidArgument for options or paths that make no sense, Unimplemented for those not served."""
    for path in mask.paths:
        if not _valid(path):
            raise InvalidArgument(
                f'error parsing UpdateMask: proto: invalid path "{path}" for message '
                '"temporal.api.workflow.v1.WorkflowExecutionOptions"'
            )
        if path.startswith("versioning_override."):
            raise InvalidArgument("error applying update_options: versioning_override fields must be updated together")
        if path.startswith("time_skipping_config"):
            raise Unimplemented("time is never skipped")
    if options.HasField("versioning_override"):
        _check_override(options.versioning_override)
    if options.HasField("priority"):
        validate(options.priority)


def check_version(options: WorkflowExecutionOptions, mask: FieldMask, task_queue: str) -> None:
    """Raises FailedPrecondition for an override that pins a version: no worker has any."""
    override = options.versioning_override
    if "versioning_override" not in mask.paths or not _pins(override):
        return
    version = override.pinned.version
    name = f"{version.deployment_name}:{version.build_id}" if override.HasField("pinned") else override.pinned_version
    raise FailedPrecondition(f"Pinned version '{name}' is not present in task queue '{task_queue}' of type 'Workflow'")


def update(run: Run, wanted: WorkflowExecutionOptions, paths: Iterable[str], identity: str) -> WorkflowExecutionOptions:
    """Changes what the paths name; writes an event if that makes a difference. Returns the options in force."""
    before, after = options(run.state), options(run.state)
    FieldMask(paths=[path for path in paths if path.startswith("priority")]).MergeMessage(
        wanted, after, replace_message_field=True
    )
    if "priority" in paths and not wanted.HasField("priority"):
        after.ClearField("priority")
    if "versioning_override" in paths:
        after.ClearField("versioning_override")
        if wanted.HasField("versioning_override"):
            after.versioning_override.CopyFrom(wanted.versioning_override)
    if after == before:
        return after
    removed = before.HasField("versioning_override") and not after.HasField("versioning_override")
    attributes = WorkflowExecutionOptionsUpdatedEventAttributes(
        unset_versioning_override=removed,
        identity=identity,
        priority=after.priority if after.priority != before.priority else None,  # an empty one takes it away
    )
    if after.HasField("versioning_override") and after.versioning_override != before.versioning_override:
        attributes.versioning_override.CopyFrom(after.versioning_override)
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        "workflow_execution_options_updated_event_attributes",
        attributes,
        worker_may_ignore=True,
    )
    apply(run.state, attributes)
    return after


def apply(state: ExecutionState, attributes: WorkflowExecutionOptionsUpdatedEventAttributes) -> None:
    """What an OPTIONS_UPDATED event does to the state, but for the request it attaches."""
    if attributes.HasField("priority"):
        state.priority = attributes.priority.SerializeToString()
    if attributes.unset_versioning_override:
        state.versioning_override = b""
    elif attributes.HasField("versioning_override"):
        state.versioning_override = attributes.versioning_override.SerializeToString()


def options(state: ExecutionState) -> WorkflowExecutionOptions:
    """The options in force."""
    found = WorkflowExecutionOptions()
    if state.priority:
        found.priority.ParseFromString(state.priority)
    if state.versioning_override:
        found.versioning_override.ParseFromString(state.versioning_override)
    return found


def _valid(path: str) -> bool:
    descriptor: Descriptor | None = WorkflowExecutionOptions.DESCRIPTOR
    for name in path.split("."):
        if descriptor is None or name not in descriptor.fields_by_name:
            return False
        descriptor = descriptor.fields_by_name[name].message_type
    return True


def _pins(override: VersioningOverride) -> bool:
    return override.HasField("pinned") or override.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED


def _check_override(override: VersioningOverride) -> None:
    if override.HasField("one_time"):
        raise Unimplemented("One-time versioning overrides are not supported by this server.")
    if override.HasField("pinned"):
        if not override.pinned.HasField("version"):
            raise InvalidArgument("must provide version if override is pinned.")
        return
    if override.auto_upgrade:
        return
    if override.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED:
        if not override.pinned_version and not override.HasField("deployment"):
            raise InvalidArgument("must provide deployment (deprecated) or pinned version if behavior is 'PINNED'")
    elif override.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_UNSPECIFIED:
        raise InvalidArgument("override behavior is required")
