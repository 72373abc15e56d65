"""The HTTP API: Temporal's own paths and JSON under /api/v1/, over the services that gRPC calls."""
