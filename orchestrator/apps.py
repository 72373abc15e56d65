"""The Django app of the server."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OrchestratorConfig(AppConfig):
    """Models, migrations and admin pages of the server."""

    name = "orchestrator"
    label = "hugo_orchestrator"
    verbose_name = "Hugo orchestrator"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Prepares the server's database and its cluster's ticks after each migrate, and counts connections."""
        from orchestrator.services.bootstrap import prepare_after_migrate
        from orchestrator.services.ticks import register_ticks
        from orchestrator.store.held import watch_connections

        watch_connections()
        post_migrate.connect(prepare_after_migrate, sender=self)
        post_migrate.connect(register_ticks, sender=self)
