"""What exists once for the whole cluster: its metadata, namespaces, search attributes, members and shards."""

from django.db import models

from orchestrator.models.fields import NameField


class ClusterMetadata(models.Model):
    """The one row that says what this database was made for. Written by the first migrate, read at every start."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    cluster_id = models.UUIDField()
    shard_count = models.PositiveIntegerField(help_text="Fixed for the life of the database: rows are placed by it.")
    contracted_by = NameField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text="The last migration that processes which do not know it cannot work with.",
    )

    class Meta:
        db_table = "cluster_metadata"
        verbose_name_plural = "cluster metadata"


class Namespace(models.Model):
    """A tenant: its name, its state, and how long its closed executions are kept."""

    class State(models.IntegerChoices):
        """The numbers of temporal.api.enums.v1.NamespaceState."""

        REGISTERED = 1
        DEPRECATED = 2
        DELETED = 3

    id = models.UUIDField(primary_key=True)
    name = NameField(max_length=1000, unique=True)
    state = models.PositiveSmallIntegerField(choices=State.choices, default=State.REGISTERED)
    description = models.TextField(blank=True)
    owner_email = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)
    retention = models.BigIntegerField(help_text="Nanoseconds a closed execution is kept.")
    bad_binaries = models.JSONField(default=dict, blank=True)
    config_version = models.BigIntegerField(default=0)

    class Meta:
        db_table = "namespace"

    def __str__(self) -> str:
        return self.name


class SearchAttribute(models.Model):
    """A custom search attribute of a namespace."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="search_attributes")
    name = NameField(max_length=255)
    type = models.PositiveSmallIntegerField(help_text="A number of temporal.api.enums.v1.IndexedValueType.")

    class Meta:
        db_table = "search_attribute"
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="search_attribute_unique")]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A process of the cluster. It is live until `lease_expires`, by the clock of the database."""

    name = NameField(max_length=255, primary_key=True, help_text="No other process, before or after, has the same.")
    role = NameField(max_length=32)
    host = NameField(max_length=255)
    pid = models.PositiveIntegerField()
    version = NameField(max_length=64)
    owns_shards = models.BooleanField()
    started = models.BigIntegerField()
    lease_expires = models.BigIntegerField()
    pinned = models.JSONField(default=list, help_text="Ids of shards that an operator has moved here.")

    class Meta:
        db_table = "member"

    def __str__(self) -> str:
        return self.name


class Shard(models.Model):
    """A part of the executions, processed by its owner alone for as long as that member is live.

    `range_id` counts the owners: a write of one that has lost the shard names an old number, and is refused.
    """

    id = models.PositiveIntegerField(primary_key=True)
    range_id = models.BigIntegerField(default=0)
    owner = NameField(max_length=255, blank=True)

    class Meta:
        db_table = "shard"

    def __str__(self) -> str:
        return f"shard {self.id}"
