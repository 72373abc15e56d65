"""The other namespaces that the commands of a workflow task reach into, looked up before the commit."""

from collections.abc import Iterable

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType

from orchestrator.core.completion import Target
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry

REACHING = {
    CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: "start_child_workflow_execution_command_attributes",
    CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: (
        "signal_external_workflow_execution_command_attributes"
    ),
    CommandType.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: (
        "request_cancel_external_workflow_execution_command_attributes"
    ),
}


async def command_targets(engine: Engine, own: NamespaceEntry, commands: Iterable[Command]) -> dict[str, Target]:
    """The namespaces by their names, without the workflow's own; raises NamespaceNotFound for an unknown one."""
    targets: dict[str, Target] = {}
    for command in commands:
        field = REACHING.get(command.command_type)
        if field is None:
            continue
        name: str = getattr(command, field).namespace
        if name and name != own.name and name not in targets:
            entry = await engine.namespace(name)
            targets[name] = Target(entry.id, entry.name, entry.search_attributes)
    return targets
