"""Where the warehouses of these tests stand. PostgreSQL is started by them, never skipped in CI."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.postgres_warehouse import PostgresWarehouse
from tests.servers.fixtures import served
from tests.servers.postgres import PostgresServer
from tests.sinks.clickhouse_helpers import new_database
from tests.sinks.postgres_helpers import KEY, MakeOn, drop


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a DuckDB warehouse is to stand."""
    return tmp_path / "groundswell.duckdb"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server of our own that a test may also kill; made once a session."""
    with served(PostgresServer, "PostgreSQL is") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The database named by GROUNDSWELL_TEST_POSTGRES, otherwise our own."""
    named = os.environ.get("GROUNDSWELL_TEST_POSTGRES")
    if named:
        return named
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url


@pytest.fixture
def make_on(postgres_server: PostgresServer) -> Iterator[MakeOn]:
    """Opens warehouses of one schema of its own on the tests' own server, or through a door."""
    schema = f"test_{secrets.token_hex(6)}"
    made: list[PostgresWarehouse] = []

    def make(
        url: str = postgres_server.url, key: bytes = KEY, ledger: Path | None = None
    ) -> PostgresWarehouse:
        setting = "GROUNDSWELL_STORE"
        made.append(PostgresWarehouse(url, key=key, schema=schema, setting=setting, ledger=ledger))
        return made[-1]

    yield make
    for warehouse in made:
        warehouse.close()
    drop(postgres_server.url, [schema])


@pytest.fixture(scope="session")
def clickhouse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one engine of ClickHouse that a process may have keeps its files."""
    return tmp_path_factory.mktemp("clickhouse")


@pytest.fixture(scope="session")
def clickhouse_engine(clickhouse_folder: Path) -> str:
    """Its address, without a database."""
    return f"chdb://{clickhouse_folder}?database="


@pytest.fixture
def clickhouse_url(clickhouse_engine: str) -> str:
    """The address of a new and empty database in it."""
    return new_database(clickhouse_engine)
