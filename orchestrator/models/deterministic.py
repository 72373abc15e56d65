"""What standalone users of the library remember of effects and decisions; workflows have their history for that."""

from django.db import models

from orchestrator.models.fields import NameField


class DeterministicRecord(models.Model):
    """A record of `hugo.deterministic`, found by the digest of its key: keys are longer than an index can hold."""

    key_digest = NameField(max_length=64, primary_key=True, help_text="SHA-256 of the key, in hexadecimal digits.")
    key = models.TextField()
    kind = NameField(max_length=128)
    version = models.BigIntegerField()
    payload = models.BinaryField()
    recorded_time = models.BigIntegerField()

    class Meta:
        db_table = "deterministic_record"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
