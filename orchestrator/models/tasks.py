"""Work that waits: for a worker to poll it, or for its time to come."""

from django.db import models

from orchestrator.models.fields import NameField


class DispatchTask(models.Model):
    """A scheduled workflow or activity task no worker has started.

    Born by the transition that schedules it, buried by the one that starts it; nobody leases it, the "started"
    transition alone decides which poller got it.
    """

    class Kind(models.IntegerChoices):
        """The numbers of temporal.api.enums.v1.TaskQueueType."""

        WORKFLOW = 1
        ACTIVITY = 2

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    namespace_id = models.UUIDField()
    task_queue = NameField(max_length=1000)
    kind = models.PositiveSmallIntegerField(choices=Kind.choices)
    priority = models.PositiveSmallIntegerField(default=3)
    created_time = models.BigIntegerField()
    workflow_id = NameField(max_length=1000)
    run_id = models.UUIDField()
    scheduled_event_id = models.BigIntegerField()
    stamp = models.IntegerField(help_text="Tells this dispatch from later ones of the same event.")
    fairness_pass = models.BigIntegerField(default=0, help_text="The order of tasks within their priority.")
    fairness_key = NameField(max_length=64, blank=True)
    fairness_weight = models.PositiveIntegerField(default=1000, help_text="In thousandths.")

    class Meta:
        db_table = "dispatch_task"
        indexes = [
            models.Index(
                fields=["namespace_id", "task_queue", "kind", "priority", "fairness_pass", "id"],
                name="dispatch_task_poll",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["shard_id", "run_id", "scheduled_event_id", "kind", "stamp"], name="dispatch_task_unique"
            )
        ]


class TaskQueue(models.Model):
    """A task queue that somebody has configured; all others need no row."""

    namespace_id = models.UUIDField()
    name = NameField(max_length=1000)
    kind = models.PositiveSmallIntegerField(choices=DispatchTask.Kind.choices)
    config = models.BinaryField(help_text="A serialized temporal.api.taskqueue.v1.TaskQueueConfig.")

    class Meta:
        db_table = "task_queue"
        constraints = [models.UniqueConstraint(fields=["namespace_id", "name", "kind"], name="task_queue_unique")]

    def __str__(self) -> str:
        return self.name


class Retried(models.Model):
    """A task of a shard that may fail: how often it did in a row, since when, and why last."""

    attempts = models.PositiveIntegerField(default=0, db_default=0, help_text="That have failed.")
    failing_since = models.BigIntegerField(default=0, db_default=0)
    last_error = NameField(max_length=1000, blank=True, default="", db_default="")

    class Meta:
        abstract = True


class TimerTask(Retried):
    """When a run wants to be woken next. May be earlier than needed, never later; one row a run.

    One that has failed is later: it waits for its next attempt.
    """

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    run_id = models.UUIDField()
    namespace_id = models.UUIDField()
    workflow_id = NameField(max_length=1000)
    fire_time = models.BigIntegerField()

    class Meta:
        db_table = "timer_task"
        indexes = [models.Index(fields=["fire_time"], name="timer_task_due")]
        constraints = [models.UniqueConstraint(fields=["shard_id", "run_id"], name="timer_task_unique")]


class TransferTask(Retried):
    """Something a run owes to another one: born with the event that led to it, gone with the commit that did it."""

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    namespace_id = models.UUIDField()
    workflow_id = NameField(max_length=1000)
    run_id = models.UUIDField()
    kind = models.PositiveSmallIntegerField(help_text="A number of orchestrator.core.transfers.TransferKind.")
    event_id = models.BigIntegerField()
    created_time = models.BigIntegerField()

    class Meta:
        db_table = "transfer_task"
        constraints = [
            models.UniqueConstraint(fields=["shard_id", "run_id", "kind", "event_id"], name="transfer_task_unique")
        ]
