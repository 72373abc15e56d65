"""What the workers and clients of a random life may want."""

from typing import Any

from hypothesis import strategies as st
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import ParentClosePolicy

from orchestrator.core.limits import Limits
from tests.core import builders as build

lengths = st.sampled_from([0.0, 1.0, 7.0, 30.0])
some_lengths = st.sampled_from([None, 2.0, 8.0, 40.0])
policies = st.sampled_from(
    [
        None,
        build.retry_policy(maximum_attempts=1),
        build.retry_policy(maximum_attempts=3),
        build.retry_policy(3, non_retryable_error_types=["Fatal"]),
    ]
)
failures = st.sampled_from(
    [
        build.application_failure(),
        build.application_failure(type="Fatal"),
        build.application_failure(non_retryable=True),
        build.application_failure(next_retry_delay=build.seconds(0)),
        build.application_failure(next_retry_delay=build.seconds(20)),
        build.application_failure("x" * 6000),
    ]
)
limits = st.sampled_from(
    [Limits()] * 3
    + [
        Limits(buffered_events=3),
        Limits(history_count=40),
        Limits(signals=2, updates_in_flight=2),
        Limits(pending_activities=1),
        Limits(pending_children=1, pending_external_signals=1, pending_external_cancels=1),
    ]
)


@st.composite
def activities(draw: st.DrawFn) -> Command:
    """ScheduleActivityTask with any timeouts, but with enough of them."""
    fields: dict[str, Any] = {}
    for name in ("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat"):
        length = draw(some_lengths)
        if length is not None:
            fields[f"{name}_timeout"] = build.seconds(length)
    fields["retry_policy"] = draw(policies)
    fields["request_eager_execution"] = draw(st.booleans())
    return build.schedule_activity(**fields)


Wish = tuple[str, Any]
"""A command still to be fitted to the run: its kind, and what it needs."""

wishes: st.SearchStrategy[Wish] = st.one_of(
    st.tuples(st.just("schedule activity"), activities()),
    st.tuples(st.just("schedule activity"), activities()),
    st.tuples(st.just("cancel activity"), st.integers(0, 5)),
    st.tuples(st.just("start timer"), lengths),
    st.tuples(st.just("cancel timer"), st.integers(0, 5)),
    st.tuples(st.just("start child"), st.sampled_from(ParentClosePolicy.values())),
    st.tuples(st.just("signal"), st.none()),
    st.tuples(st.just("request cancel"), st.none()),
    st.tuples(
        st.just("plain"),
        st.sampled_from(
            [
                build.record_marker(),
                build.modify(build.memo(a="1")),
                build.modify(build.memo(a="null", b="2")),
                build.upsert(build.attributes(Kind='"x"')),
                build.upsert(build.attributes(Kind="null", Count="1")),
            ]
        ),
    ),
)
bad_commands = st.sampled_from(
    [
        build.cancel_timer("unknown"),
        build.cancel_activity(1),
        build.upsert(build.attributes(Unknown="1")),
        build.schedule_activity(start_to_close_timeout=None),
        build.start_timer(""),
        build.record_marker(details={"d": build.payloads("1" * 3000)}),
    ]
)
ends = st.sampled_from(
    [build.complete_workflow(), build.fail_workflow(), build.cancel_workflow(), build.continue_as_new()]
)
