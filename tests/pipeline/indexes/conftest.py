"""The Redis of the tests of indexes: started by them, and never skipped in CI."""

import os
from collections.abc import Iterator

import pytest

from tests.servers.fixtures import served
from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server of our own that a test may also kill; made once a session."""
    with served(RedisServer, "Redis is") as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> str:
    """The server named by GROUNDSWELL_TEST_REDIS (a URL), otherwise our own."""
    named = os.environ.get("GROUNDSWELL_TEST_REDIS")
    if named:
        return named
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url
