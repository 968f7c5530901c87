"""Where the benches put a warehouse, and how they reach its tables beside it."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from pipeline.ports import Warehouse
from sinks.clickhouse_link import ClickHouseLink
from sinks.clickhouse_warehouse import ClickHouseWarehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from sinks.postgres_link import PostgresLink
from sinks.postgres_warehouse import PostgresWarehouse
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.postgres import PostgresServer

KEY: Final = bytes(32)
#: Runs one statement and gives its rows.
Run = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Place:
    """Where a warehouse stands: how it is opened, and how its tables are reached beside it."""

    open: Callable[[], Warehouse]
    run: Callable[[], Any]


def duckdb_at(path: Path) -> Place:
    """A file."""

    @contextmanager
    def run() -> Iterator[Run]:
        with duckdb.connect(str(path), config={"threads": 2, "memory_limit": "4GB"}) as held:
            held.execute("SET preserve_insertion_order = true")
            yield lambda text: held.execute(text).fetchall()

    return Place(lambda: DuckDBWarehouse(path, key=KEY), run)


def postgres_at(url: str, schema: str) -> Place:
    """A schema."""

    @contextmanager
    def run() -> Iterator[Run]:
        link = PostgresLink(url, schema, "url")
        with closing(link.open(("work_mem = '256MB'",))) as connection:

            def rows(text: str) -> list[tuple[Any, ...]]:
                found = connection.run(text, copy=False)
                columns = (column.to_pylist() for column in found.columns)
                return list(zip(*columns, strict=True))

            yield rows
            connection.run_all([f"ANALYZE {name}" for name in ("fct_mention", "fct_link")])

    return Place(lambda: PostgresWarehouse(url, key=KEY, schema=schema), run)


def clickhouse_at(url: str) -> Place:
    """A database of ClickHouse."""

    @contextmanager
    def run() -> Iterator[Run]:
        with closing(ClickHouseLink(url, "url").open()) as connection:
            yield lambda text: [tuple(row) for row in connection.ask(text).result_rows]

    return Place(lambda: ClickHouseWarehouse(url, key=KEY), run)


def drop(url: str, schema: str) -> None:
    """Removes a schema."""
    with closing(PostgresLink(url, "public", "url").open()) as connection:
        connection.run_all([f"DROP SCHEMA IF EXISTS {schema} CASCADE"])


@contextmanager
def place_of(adapter: str, path: Path | None, schema: str | None) -> Iterator[Place]:
    """Where to write; removed afterwards unless it was named."""
    with ExitStack() as stack:
        if adapter == "duckdb":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="groundswell-bench-"))
            yield duckdb_at(path or Path(folder) / "bench.duckdb")
            return
        if adapter == "clickhouse":
            engine = ClickHouseServer()
            stack.callback(engine.stop)
            engine.start()
            yield clickhouse_at(engine.url)
            return
        url = os.environ.get("GROUNDSWELL_TEST_POSTGRES")
        if url is None:
            server = PostgresServer(durable=True)
            server.start()
            stack.callback(server.stop)
            url = server.url
        name = schema or f"bench_{secrets.token_hex(4)}"
        if schema is None:
            stack.callback(drop, url, name)
        yield postgres_at(url, name)
