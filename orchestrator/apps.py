"""The Django app of the server."""

from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """Models, migrations and admin pages of the server."""

    name = "orchestrator"
    label = "hugo_orchestrator"
    verbose_name = "Hugo orchestrator"
    default_auto_field = "django.db.models.BigAutoField"
