"""Runs: which one is current for a workflow id, the state of each, and its history."""

from django.db import models

from orchestrator.models.fields import NameField


class CurrentExecution(models.Model):
    """The latest run of a workflow id, open or closed: the point where starts are made linearizable."""

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    namespace_id = models.UUIDField()
    workflow_id = NameField(max_length=1000)
    run_id = models.UUIDField()

    class Meta:
        db_table = "current_execution"
        constraints = [
            models.UniqueConstraint(fields=["shard_id", "namespace_id", "workflow_id"], name="current_execution_unique")
        ]


class Execution(models.Model):
    """One run. `state` is the mutable state's blob, `version` counts its transitions.

    No column that changes with a transition is indexed, so that PostgreSQL updates the row in place (HOT).
    """

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    run_id = models.UUIDField()
    namespace_id = models.UUIDField()
    workflow_id = NameField(max_length=1000)
    version = models.BigIntegerField()
    state = models.BinaryField()

    class Meta:
        db_table = "execution"
        constraints = [models.UniqueConstraint(fields=["shard_id", "run_id"], name="execution_unique")]

    def __str__(self) -> str:
        return f"{self.workflow_id} {self.run_id}"


class SignalRequests(models.Model):
    """A lot of request ids of signals that a run took some time ago, as a MessagePack array. Never rewritten."""

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    run_id = models.UUIDField()
    number = models.PositiveIntegerField()
    request_ids = models.BinaryField()

    class Meta:
        db_table = "signal_requests"
        constraints = [models.UniqueConstraint(fields=["shard_id", "run_id", "number"], name="signal_requests_unique")]


class HistoryNode(models.Model):
    """One batch of events: a serialized temporal.api.history.v1.History. Appended, never rewritten."""

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    branch_id = models.UUIDField()
    first_event_id = models.BigIntegerField()
    last_event_id = models.BigIntegerField()
    events = models.BinaryField()

    class Meta:
        db_table = "history_node"
        constraints = [
            models.UniqueConstraint(fields=["shard_id", "branch_id", "first_event_id"], name="history_node_unique")
        ]
