"""Every kind of Redis URL, and what none is."""

import pytest

from orchestrator.store.redis_urls import RedisPlace, parse_redis_url


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", RedisPlace("server", False, (("localhost", 6379),), "", {})),
        (
            "redis://me:p%40ss@[::1]:7000/3",
            RedisPlace("server", False, (("::1", 7000),), "", {"username": "me", "password": "p@ss", "db": 3}),
        ),
        (
            "rediss://:secret@host/1?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false",
            RedisPlace(
                "server",
                True,
                (("host", 6379),),
                "",
                {"password": "secret", "db": 1, "ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False},
            ),
        ),
        ("unix:///run/redis.sock?db=2", RedisPlace("server", False, (), "", {"path": "/run/redis.sock", "db": 2})),
        (
            "redis+sentinel://:secret@one,two:26380/main/4?sentinel_password=other",
            RedisPlace(
                "sentinel",
                False,
                (("one", 26379), ("two", 26380)),
                "main",
                {"password": "secret", "db": 4, "sentinel_password": "other"},
            ),
        ),
        ("rediss+cluster://a:1,b:2/", RedisPlace("cluster", True, (("a", 1), ("b", 2)), "", {})),
    ],
)
def test_what_a_url_names(url: str, place: RedisPlace) -> None:
    assert parse_redis_url(url) == place


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://host", "and this one with 'http'"),
        ("unix+cluster:///path", "and this one with 'unix\\+cluster'"),
        ("redis+sentinel://host:26379", "lacks the name of their service"),
        ("redis+cluster://host/2", "one database"),
    ],
)
def test_what_is_none(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_redis_url(url)
