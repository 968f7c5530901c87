"""The Redis of the tests of indexes: started by them, and never skipped in CI."""

import os
from collections.abc import Iterator

import pytest

from tests.servers.kafka import CannotStartError
from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server of our own that a test may also kill; made once a session."""
    try:
        server = RedisServer()
    except CannotStartError as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"Redis is NOT tested: {reason}")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> str:
    """The server named by GROUNDSWELL_TEST_REDIS (a URL), otherwise our own."""
    named = os.environ.get("GROUNDSWELL_TEST_REDIS")
    if named:
        return named
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url
