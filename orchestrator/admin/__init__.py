"""Operator pages in the Django admin: rows are read-only, and what changes a workflow calls the services.

Importing this package registers the pages.
"""

from orchestrator.admin import cluster, dead_letters, task_queues, workflows

__all__ = ["cluster", "dead_letters", "task_queues", "workflows"]
