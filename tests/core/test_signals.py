"""What reaches a run from outside: signals, cancel requests, attached request ids."""

import pytest
from temporalio.api.common.v1 import Header, Link

from orchestrator.core import signal_requests, signals
from orchestrator.core.limits import Limits
from orchestrator.core.run import Run
from orchestrator.core.signal_requests import LOT
from orchestrator.errors import InvalidArgument, WorkflowClosed, WorkflowClosing
from tests.core import builders as build
from tests.core.simulation import Simulation


def idle() -> Simulation:
    """A run that waits for a signal: four events."""
    simulation = Simulation()
    simulation.turn()
    return simulation


def test_a_signal_wakes_the_workflow() -> None:
    simulation = idle()
    header = Header(fields={"h": build.payload("1")})
    link = Link(batch_job=Link.BatchJob(job_id="job"))
    simulation.transact(
        lambda run: signals.signal(
            run,
            name="go",
            input=build.payloads("1"),
            identity="client",
            header=header,
            request_id="request",
            links=[link],
        )
    )
    assert simulation.story(4) == ["WorkflowExecutionSignaled WorkflowTaskScheduled"]
    event = simulation.last("WorkflowExecutionSignaled")
    assert (event.signal_name, event.input, event.identity, event.header) == (
        "go",
        build.payloads("1"),
        "client",
        header,
    )
    assert event.request_id == ""
    assert list(simulation.last_event("WorkflowExecutionSignaled").links) == [link]


def test_a_signal_is_delivered_once_for_a_request_id() -> None:
    simulation = idle()
    simulation.signal("go", "request")
    simulation.signal("go", "request")
    simulation.signal("go", "other")
    simulation.signal("go")
    simulation.signal("go")
    assert (
        simulation.story(4) == ["WorkflowExecutionSignaled WorkflowTaskScheduled"] + ["WorkflowExecutionSignaled"] * 3
    )


def test_a_repetition_is_known_after_the_close_too() -> None:
    simulation = idle()
    simulation.signal("go", "request")
    simulation.terminate()
    simulation.signal("go", "request")
    with pytest.raises(WorkflowClosed) as raised:
        simulation.signal("go", "other")
    assert raised.value.message == "workflow execution already completed"


def test_a_run_takes_so_many_signals() -> None:
    simulation = Simulation(limits=Limits(signals=2))
    simulation.signal()
    simulation.signal("go", "request")
    with pytest.raises(InvalidArgument) as raised:
        simulation.signal()
    assert raised.value.message == "exceeded workflow execution limit for signal events"
    simulation.signal("go", "request")


def test_a_run_that_is_about_to_close_takes_no_signal_while_its_worker_tries() -> None:
    simulation = Simulation()
    simulation.poll()
    simulation.signal()
    assert simulation.complete(build.complete_workflow()) == "UnhandledCommand"
    simulation.signal("while it is only scheduled")
    simulation.poll()
    with pytest.raises(WorkflowClosing) as raised:
        simulation.signal()
    assert raised.value.message == "workflow operation can not be applied because workflow is closing"
    simulation.complete(build.record_marker())
    simulation.signal()


@pytest.mark.parametrize(("skip", "scheduled"), [(False, ""), (True, " WorkflowTaskScheduled")])
def test_a_signal_to_a_delayed_run(skip: bool, scheduled: str) -> None:
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(30)))
    simulation.signal(skip_backoff=skip)
    assert simulation.story(1) == [f"WorkflowExecutionSignaled{scheduled}"]
    simulation.advance(30)
    assert sum("WorkflowTaskScheduled" in line for line in simulation.story()) == 1


def test_a_cancel_request_wakes_the_workflow_once() -> None:
    simulation = idle()
    simulation.cancel("because", "request")
    simulation.cancel("again", "other")
    assert simulation.story(4) == ["WorkflowExecutionCancelRequested WorkflowTaskScheduled"]
    event = simulation.last("WorkflowExecutionCancelRequested")
    assert (event.cause, event.identity) == ("because", "client")


def test_a_cancel_request_ends_the_delay_of_a_start() -> None:
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(30)))
    simulation.cancel()
    assert simulation.story(1) == ["WorkflowExecutionCancelRequested WorkflowTaskScheduled"]
    simulation.advance(60)
    assert len(simulation.events) == 3


def test_a_closed_run_ignores_a_cancel_request() -> None:
    simulation = idle()
    simulation.terminate()
    before = len(simulation.events)
    simulation.cancel()
    assert len(simulation.events) == before


def test_attaching_a_request_wakes_nobody() -> None:
    simulation = idle()
    link = Link(batch_job=Link.BatchJob(job_id="job"))
    simulation.transact(lambda run: signals.attach_request(run, request_id="other", links=[link]))
    assert simulation.story(4) == ["WorkflowExecutionOptionsUpdated"]
    event = simulation.last_event("WorkflowExecutionOptionsUpdated")
    assert event.workflow_execution_options_updated_event_attributes.attached_request_id == "other"
    assert list(event.links) == [link]
    assert simulation.state.request_ids["other"] == (event.event_type, 5)
    assert simulation.state.workflow_task is None


def test_the_request_ids_of_many_signals_are_known_and_do_not_fill_the_state() -> None:
    simulation = Simulation()
    names = [f"request-{number}" for number in range(100)]
    for name in names:
        simulation.signal(name, name)
    assert len(simulation.state.signal_request_ids) < 2 * LOT
    assert len(simulation.request_ids) + len(simulation.state.signal_request_ids) == 100
    for name in names:
        simulation.signal("again", name)
    assert simulation.state.signals == 100


def test_another_run_of_the_workflow_knows_them_too() -> None:
    simulation, other = Simulation(), Simulation()
    for number in range(100):
        simulation.signal("signal", f"request-{number}")
    run = simulation.open()

    def take_over(fresh: Run) -> None:
        signal_requests.hand_on(run, fresh)
        fresh.changed = True

    other.transact(take_over)
    for number in range(100):
        other.signal("signal", f"request-{number}")
    other.signal("signal", "request-100")
    assert other.state.signals == 1


def test_a_next_run_knows_the_latest() -> None:
    simulation, successor = Simulation(), Simulation().open()
    for number in range(100):
        simulation.signal("signal", f"request-{number}")
    signal_requests.hand_on(simulation.open(), successor, 50)
    handed = [*(each for lot in successor.request_lots for each in lot), *successor.state.signal_request_ids]
    assert handed == [f"request-{number}" for number in range(50, 100)]
