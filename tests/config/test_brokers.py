"""What Celery is told of a Redis URL."""

import ssl

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.brokers import Broker, from_redis_url


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://127.0.0.1:6379/0", Broker("redis://127.0.0.1:6379/0", {}, None)),
        ("redis://:p%40ss@host", Broker("redis://:p%40ss@host:6379/0", {}, None)),
        ("unix:///run/redis.sock?db=2", Broker("redis+socket:///run/redis.sock?virtual_host=2", {}, None)),
        (
            "rediss://host:7000/1?ssl_ca_certs=/etc/ca.pem",
            Broker("rediss://host:7000/1", {}, {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/etc/ca.pem"}),
        ),
        (
            "redis+sentinel://one:1,two:2/main/4?sentinel_password=secret",
            Broker(
                "sentinel://one:1/4;sentinel://two:2/4",
                {"master_name": "main", "sentinel_kwargs": {"password": "secret"}},
                None,
            ),
        ),
    ],
)
def test_a_url_is_a_broker(url: str, broker: Broker) -> None:
    assert from_redis_url(url) == broker


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis+cluster://host:7000", "names a Redis cluster, which Celery cannot use: set CELERY_BROKER_URL"),
        ("amqp://host", "REDIS_URL: A Redis URL begins with redis, "),
    ],
)
def test_a_url_that_is_none(url: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        from_redis_url(url)
