"""Workflows of many shapes, whose histories are replayed; one module a theme."""

from tests.functional.shapes import (
    activities,
    chains,
    code,
    families,
    local_activities,
    updates,
    waiting,
    workers,  # noqa: F401 - it has shapes, and no workflows of its own
)
from tests.functional.shapes.stage import SHAPES, Shape, Stage

_THEMES = (activities, chains, code, families, local_activities, updates, waiting)
WORKFLOWS = [each for theme in _THEMES for each in theme.WORKFLOWS]
ACTIVITIES = [*activities.ACTIVITIES, *local_activities.ACTIVITIES]

__all__ = ["ACTIVITIES", "SHAPES", "WORKFLOWS", "Shape", "Stage"]
