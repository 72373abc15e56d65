"""The server: durable workflow executions behind Temporal's WorkflowService, a REST API and the Django admin."""

__version__ = "0.1.0"
