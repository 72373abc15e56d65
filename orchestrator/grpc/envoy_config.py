"""The configuration of the Envoy process.

One listener serves both ports, because pyvoy runs one thread, one event loop and one lifespan for each filter
configuration: with a listener of its own the HTTP application would live on another loop than the gRPC handlers.

Known limit: Envoy's HTTP/2 codec, nghttp2, hangs up on a connection that cancels more than 1,000 calls at once or 33 a
second for long; it cannot be told otherwise. Its other codec, oghttp2, has no such limit and loses the trailers of
replies of a few megabytes, so it is not used.
"""

import importlib.util
import json
from typing import Any

_TYPES = "type.googleapis.com/envoy.extensions.filters"

# One message of the limit arrives without waiting for window updates; a connection holds several.
_STREAM_WINDOW = 8 * 1024 * 1024
_CONNECTION_WINDOW = 64 * 1024 * 1024

_RUNTIME = {
    # Envoy itself hangs up on a connection with 250 calls cancelled young, to ward off floods of resets. A worker that
    # stops cancels all its polls, so more must be allowed than one worker holds.
    "overload.premature_reset_total_stream_count": 10_000,
}


def module_path() -> str:
    """The shared object of pyvoy that Envoy loads."""
    spec = importlib.util.find_spec("pyvoy._pyvoy")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pyvoy has no native module")
    return spec.origin


def envoy_config(
    address: str, port: int, http_port: int | None, reuse_port: bool, admin: str, app: str
) -> dict[str, Any]:
    """The bootstrap configuration, ready for JSON.

    Args:
        address: the IP address to listen on.
        port: the gRPC port, 0 for a free one.
        http_port: the HTTP port, 0 for a free one, None for none.
        reuse_port: share the ports with other processes.
        admin: the path of the socket of Envoy's administration interface.
        app: the ASGI application, `module:attribute`.
    """
    listener: dict[str, Any] = {
        "name": "hugo",
        "address": _socket_address(address, port),
        "enable_reuse_port": reuse_port,
        # Room for a burst that Python has not read yet; a request above it is refused by Envoy itself.
        "per_connection_buffer_limit_bytes": _CONNECTION_WINDOW,
        "filter_chains": [{"filters": [_connection_manager(app)]}],
    }
    if http_port is not None:
        listener["additional_addresses"] = [{"address": _socket_address(address, http_port)}]
    return {
        "admin": {"address": {"pipe": {"path": admin, "mode": 0o600}}},
        "layered_runtime": {"layers": [{"name": "hugo", "static_layer": _RUNTIME}]},
        "static_resources": {"listeners": [listener]},
    }


def _socket_address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _connection_manager(app: str) -> dict[str, Any]:
    config = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "hugo",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"]}]},
        "http_filters": [_python(app)],
        "generate_request_id": False,
        # The peer's own address, not what its headers claim.
        "use_remote_address": True,
        # A held poll is an idle stream; deadlines, the sweep and the keepalive end what must end.
        "stream_idle_timeout": "0s",
        "request_timeout": "60s",
        "http2_protocol_options": {
            "max_concurrent_streams": 1_000_000,
            "initial_stream_window_size": _STREAM_WINDOW,
            "initial_connection_window_size": _CONNECTION_WINDOW,
            "connection_keepalive": {"interval": "60s", "timeout": "20s"},
        },
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def _python(app: str) -> dict[str, Any]:
    settings = json.dumps({"app": app, "interface": "asgi", "lifespan": True, "worker_threads": 1})
    config = {
        "@type": f"{_TYPES}.http.dynamic_modules.v3.DynamicModuleFilter",
        "dynamic_module_config": {"module": {"local": {"filename": module_path()}}},
        "filter_name": "pyvoy",
        "terminal_filter": True,
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": settings},
    }
    return {"name": "pyvoy", "typed_config": config}
