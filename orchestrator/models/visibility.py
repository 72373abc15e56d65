"""What lists and counts read: one row a run, written in the transaction of the transition it describes."""

from django.db import models

from orchestrator.models.fields import NameField

OPEN = 2**63 - 1
"""The close time of a run that is open: it sorts open runs first."""


class VisibilityRecord(models.Model):
    """The columns a query can name, and what a list shows of a run."""

    id = models.BigAutoField(primary_key=True)
    shard_id = models.PositiveIntegerField()
    namespace_id = models.UUIDField()
    run_id = models.UUIDField()
    workflow_id = NameField(max_length=1000)
    workflow_type = NameField(max_length=1000)
    task_queue = NameField(max_length=1000)
    status = models.PositiveSmallIntegerField(help_text="A number of temporal.api.enums.v1.WorkflowExecutionStatus.")
    start_time = models.BigIntegerField()
    execution_time = models.BigIntegerField()
    close_time = models.BigIntegerField(default=OPEN)
    execution_duration = models.BigIntegerField(null=True)
    history_length = models.BigIntegerField(null=True)
    history_size_bytes = models.BigIntegerField(null=True)
    state_transition_count = models.BigIntegerField(null=True)
    parent_workflow_id = NameField(max_length=1000, blank=True)
    parent_run_id = models.CharField(max_length=36, blank=True)
    root_workflow_id = NameField(max_length=1000, blank=True)
    root_run_id = models.CharField(max_length=36, blank=True)
    namespace_division = NameField(
        max_length=255,
        blank=True,
        db_default="",
        help_text="The attribute TemporalNamespaceDivision: rows that have it are no workflows of a user.",
    )
    memo = models.BinaryField(help_text="A serialized temporal.api.common.v1.Memo.")
    payloads = models.BinaryField(
        help_text="A serialized temporal.api.common.v1.SearchAttributes, as the client sent it."
    )
    search_attributes = models.JSONField(default=dict, help_text="The values decoded for queries, under `Name:Type`.")

    class Meta:
        db_table = "visibility_record"
        verbose_name = "workflow run"
        permissions = [
            ("signal_workflow", "Can signal workflow runs"),
            ("cancel_workflow", "Can request the cancellation of workflow runs"),
            ("terminate_workflow", "Can terminate workflow runs"),
        ]
        indexes = [
            # The default order, with what nearly every count asks for behind it.
            models.Index(
                fields=["namespace_id", "namespace_division", "-close_time", "-start_time", "run_id", "status"],
                name="visibility_page",
            ),
            models.Index(fields=["namespace_id", "workflow_id"], name="visibility_workflow_id"),
            # The same order within a type.
            models.Index(
                fields=["namespace_id", "namespace_division", "workflow_type", "-close_time", "-start_time", "run_id"],
                name="visibility_type",
            ),
        ]
        # The run id comes first, so that a run is also found without its shard.
        constraints = [models.UniqueConstraint(fields=["run_id", "shard_id"], name="visibility_unique")]

    def __str__(self) -> str:
        return f"{self.workflow_id} {self.run_id}"
