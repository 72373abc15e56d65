"""Where measurements and spans go: nowhere, until a process says otherwise."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hugo.diagnostics.instruments import Instrument
    from hugo.diagnostics.spans import Tracer

SCOPE_NAME = "Hugo.Go"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.27.0"


class Recorder(Protocol):
    """Takes measurements. It is called from any thread and must not raise."""

    def record(self, instrument: "Instrument", amount: float, attributes: Mapping[str, str]) -> None:
        """Takes one measurement, in the instrument's unit."""


class _Active:
    """What this process has configured."""

    recorder: Recorder | None = None
    tracer: "Tracer | None" = None
    # Whether there is either of them.
    observing: bool = False
    workflow_ids: bool = False


active = _Active()


def configure(
    recorder: Recorder | None = None, tracer: "Tracer | None" = None, *, workflow_ids: bool | None = None
) -> None:
    """Sends all measurements of this process to `recorder` and all spans to `tracer`, in place of earlier ones.

    `workflow_ids` has measurements carry the ids of workflows and runs, one time series each; unless given, they do if
    the environment variable HUGO_METRICS_WORKFLOW_IDS is 1.
    """
    active.recorder = recorder
    active.tracer = tracer
    active.observing = recorder is not None or tracer is not None
    if workflow_ids is None:
        workflow_ids = os.environ.get("HUGO_METRICS_WORKFLOW_IDS") == "1"
    active.workflow_ids = workflow_ids


def reset() -> None:
    """Records nothing any more."""
    configure()
