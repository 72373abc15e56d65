"""Starts that ask for what needs worker versions or skipped time, of which this server has none."""

from typing import Any

import pytest
from temporalio.api.common.v1 import TimeSkippingConfig
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflow.v1 import VersioningOverride

from orchestrator.core import start
from orchestrator.core.limits import Limits
from orchestrator.errors import FailedPrecondition, InvalidArgument, ServiceError, Unimplemented
from tests.core import builders as build

Pinned = VersioningOverride.PinnedOverride
LIMITS = Limits()
PINNED = VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
ABSENT = "Pinned version 'd:b' is not present in task queue 'queue' of type 'Workflow'"
VERSION = WorkerDeploymentVersion(deployment_name="d", build_id="b")


@pytest.mark.parametrize(
    ("override", "error", "text"),
    [
        (
            VersioningOverride(pinned=Pinned()),
            InvalidArgument,
            "must provide version if override is pinned.",
        ),
        (VersioningOverride(behavior=PINNED), InvalidArgument, "must provide version if override is pinned."),
        (VersioningOverride(pinned=Pinned(version=VERSION)), FailedPrecondition, ABSENT),
        (VersioningOverride(behavior=PINNED, pinned_version="d:b"), FailedPrecondition, ABSENT),
    ],
)
def test_a_run_cannot_be_pinned(override: VersioningOverride, error: type[ServiceError], text: str) -> None:
    requests: list[Any] = [
        build.start_request(versioning_override=override),
        build.signal_with_start_request(versioning_override=override),
    ]
    for request in requests:
        with pytest.raises(error) as raised:
            start.check(request, LIMITS)
        assert raised.value.message == text


def test_a_run_may_follow_the_current_version() -> None:
    start.check(build.start_request(versioning_override=VersioningOverride(auto_upgrade=True)), LIMITS)


def test_time_is_not_skipped() -> None:
    with pytest.raises(Unimplemented):
        start.check(build.start_request(time_skipping_config=TimeSkippingConfig(enabled=True)), LIMITS)
