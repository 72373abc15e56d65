"""The deployable project: settings, URLs, ASGI and Celery. The only place that reads environment variables."""
