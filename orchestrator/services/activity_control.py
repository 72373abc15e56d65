"""PauseActivity, UnpauseActivity, ResetActivity and UpdateActivityOptions."""

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    PauseActivityResponse,
    ResetActivityRequest,
    ResetActivityResponse,
    UnpauseActivityRequest,
    UnpauseActivityResponse,
    UpdateActivityOptionsRequest,
    UpdateActivityOptionsResponse,
)

from orchestrator.core import activity_control as control
from orchestrator.core.request_checks import check_execution, check_name
from orchestrator.core.run import Run
from orchestrator.core.state import Activity
from orchestrator.core.wire import length_ns
from orchestrator.errors import InvalidArgument, NotFound, WorkflowClosed
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.transition import Unit

T = TypeVar("T")
Request = PauseActivityRequest | UnpauseActivityRequest | ResetActivityRequest | UpdateActivityOptionsRequest
NOBODY = "Can't find pending activity with such ID. Invalid activityID or activity already completed"


def pause_activity(
    engine: Engine, namespace: NamespaceEntry, request: PauseActivityRequest
) -> Prepared[PauseActivityResponse]:
    """Keeps activities from being tried again; raises InvalidArgument, or NotFound when there is none such."""

    def apply(run: Run, chosen: list[Activity]) -> PauseActivityResponse:
        for pending in chosen:
            control.pause(run, pending, identity=request.identity, reason=request.reason)
        return PauseActivityResponse()

    return _prepare(engine, namespace, request, apply)


def unpause_activity(
    engine: Engine, namespace: NamespaceEntry, request: UnpauseActivityRequest
) -> Prepared[UnpauseActivityResponse]:
    """Lets paused activities go on; raises InvalidArgument, or NotFound when there is none such."""

    def apply(run: Run, chosen: list[Activity]) -> UnpauseActivityResponse:
        for pending in chosen:
            control.unpause(
                run,
                pending,
                reset_attempts=request.reset_attempts,
                reset_heartbeat=request.reset_heartbeat,
                delay=_jitter(request),
            )
        return UnpauseActivityResponse()

    return _prepare(engine, namespace, request, apply)


def reset_activity(
    engine: Engine, namespace: NamespaceEntry, request: ResetActivityRequest
) -> Prepared[ResetActivityResponse]:
    """Begins activities again with their first attempt; raises InvalidArgument, or NotFound when there is none such."""

    def apply(run: Run, chosen: list[Activity]) -> ResetActivityResponse:
        for pending in chosen:
            if request.restore_original_options:
                control.restore_options(run, pending)
            control.reset(
                run,
                pending,
                reset_heartbeat=request.reset_heartbeat,
                keep_paused=request.keep_paused,
                delay=_jitter(request),
            )
        return ResetActivityResponse()

    return _prepare(engine, namespace, request, apply)


def update_activity_options(
    engine: Engine, namespace: NamespaceEntry, request: UpdateActivityOptionsRequest
) -> Prepared[UpdateActivityOptionsResponse]:
    """Changes options of activities; raises InvalidArgument, or NotFound when there is none such."""
    if not request.restore_original:
        if not request.HasField("activity_options"):
            _check(engine, request)
            raise InvalidArgument("ActivityOptions are not provided")
        if not request.HasField("update_mask"):
            _check(engine, request)
            raise InvalidArgument("UpdateMask is not provided")

    def apply(run: Run, chosen: list[Activity]) -> UpdateActivityOptionsResponse:
        for pending in chosen:
            if request.restore_original:
                control.restore_options(run, pending)
            else:
                control.update_options(run, pending, request.activity_options, request.update_mask.paths)
        return UpdateActivityOptionsResponse(activity_options=control.options(chosen[0]))

    return _prepare(engine, namespace, request, apply)


def _prepare(
    engine: Engine, namespace: NamespaceEntry, request: Request, apply: Callable[[Run, list[Activity]], T]
) -> Prepared[T]:
    _check(engine, request)

    def operation(unit: Unit) -> T:
        run = unit.run()
        if not run.state.running:
            raise WorkflowClosed()
        chosen = list(_chosen(run, request))
        if not chosen:
            raise NotFound(NOBODY)
        return apply(run, chosen)

    execution = request.execution
    return Prepared(engine.key(namespace, execution.workflow_id), operation, execution.run_id)


def _check(engine: Engine, request: Request) -> None:
    check_name(request.identity, "Identity", engine.limits)
    check_execution(request.execution)
    if not request.id and not request.type and request.WhichOneof("activity") in (None, "id", "type"):
        raise InvalidArgument("Either Activity.Id or Activity.Type should be set on request.")


def _chosen(run: Run, request: Request) -> Iterator[Activity]:
    for pending in run.state.activities.values():
        match request.WhichOneof("activity"):
            case "id":
                fits = pending.activity_id == request.id
            case "type":
                fits = pending.activity_type == request.type
            case _:
                fits = True
        if fits:
            yield pending


def _jitter(request: UnpauseActivityRequest | ResetActivityRequest) -> int:
    """A random delay up to the jitter of the request, in nanoseconds."""
    longest = length_ns(request.jitter)
    return random.randrange(longest) if longest > 0 else 0
