"""Work that was given up because it always failed."""

from django.db import models

from orchestrator.models.fields import NameField


class DeadLetter(models.Model):
    """A task of a shard that was put aside, with all that is needed to put it back."""

    class Queue(models.TextChoices):
        """Which table it comes from."""

        TRANSFER = "transfer"
        TIMER = "timer"

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    queue = NameField(max_length=16, choices=Queue.choices)
    namespace_id = models.UUIDField()
    workflow_id = NameField(max_length=1000)
    run_id = models.UUIDField()
    kind = models.PositiveSmallIntegerField(
        default=0, help_text="Of a transfer: a number of orchestrator.core.transfers.TransferKind."
    )
    event_id = models.BigIntegerField(default=0, help_text="Of a transfer.")
    payload = models.JSONField(help_text="The other columns of the row it was.")
    error = models.TextField(help_text="The type and the text of the last error, and where it was raised.")
    attempts = models.PositiveIntegerField()
    first_failure = models.BigIntegerField()
    last_failure = models.BigIntegerField()

    class Meta:
        db_table = "dead_letter"
        permissions = [("redrive_deadletter", "Can put dead letters back to work, and delete them")]
        constraints = [
            models.UniqueConstraint(
                fields=["shard_id", "run_id", "queue", "kind", "event_id"], name="dead_letter_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.queue} of {self.workflow_id}"
