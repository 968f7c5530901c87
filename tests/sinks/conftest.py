"""The PostgreSQL of the tests of sinks: started by them, and never skipped in CI."""

import os
from collections.abc import Iterator

import pytest

from tests.servers.kafka import CannotStartError
from tests.servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server of our own that a test may also kill; made once a session."""
    try:
        server = PostgresServer()
    except CannotStartError as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"PostgreSQL is NOT tested: {reason}")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The database named by GROUNDSWELL_TEST_POSTGRES, otherwise our own."""
    named = os.environ.get("GROUNDSWELL_TEST_POSTGRES")
    if named:
        return named
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url
