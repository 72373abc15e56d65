"""One Redis URL to the settings of Celery's broker."""

import ssl
from typing import Any, NamedTuple
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from orchestrator.store.redis_urls import RedisPlace, parse_redis_url

REQUIREMENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Broker(NamedTuple):
    """What Celery is told.

    Attributes:
        url: BROKER_URL.
        options: further BROKER_TRANSPORT_OPTIONS.
        tls: BROKER_USE_SSL; None without TLS.
    """

    url: str
    options: dict[str, Any]
    tls: dict[str, Any] | None


def from_redis_url(url: str) -> Broker:
    """The broker a Redis URL names.

    Raises:
        ImproperlyConfigured: it is none, or names a Redis cluster.
    """
    try:
        place = parse_redis_url(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"REDIS_URL: {error}") from error
    if place.kind == "cluster":
        raise ImproperlyConfigured(
            "REDIS_URL names a Redis cluster, which Celery cannot use: set CELERY_BROKER_URL to another Redis."
        )
    tls = _tls(place) if place.tls else None
    database = place.options.get("db", 0)
    if not place.nodes:
        return Broker(f"redis+socket://{_user(place)}{place.options['path']}?virtual_host={database}", {}, None)
    if place.kind == "sentinel":
        urls = [f"sentinel://{_user(place)}{host}:{port}/{database}" for host, port in place.nodes]
        asking = {
            name: place.options[f"sentinel_{name}"]
            for name in ("username", "password")
            if f"sentinel_{name}" in place.options
        }
        options = {"master_name": place.service, "sentinel_kwargs": asking | ({"ssl": True} | tls if tls else {})}
        return Broker(";".join(urls), options, tls)
    ((host, port),) = place.nodes
    return Broker(f"{'rediss' if tls else 'redis'}://{_user(place)}{host}:{port}/{database}", {}, tls)


def _user(place: RedisPlace) -> str:
    username, password = place.options.get("username", ""), place.options.get("password", "")
    return f"{quote(username, safe='')}:{quote(password, safe='')}@" if username or password else ""


def _tls(place: RedisPlace) -> dict[str, Any]:
    given = place.tls_options()
    required = REQUIREMENTS[str(given.get("ssl_cert_reqs", "required"))]
    return given | {"ssl_cert_reqs": required}
