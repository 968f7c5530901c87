"""The PostgreSQL warehouse: the contract, and what only a server can get into."""

import secrets
from collections.abc import Iterator

import pytest

from sinks.postgres_link import PostgresLink
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse import WarehouseContract
from tests.contracts.warehouse_reading import Make

KEY = bytes(range(32))


class TestContract(WarehouseContract):
    @pytest.fixture
    def make(self, postgres_url: str) -> Iterator[Make]:
        made: list[PostgresWarehouse] = []

        def make() -> PostgresWarehouse:
            made.append(
                PostgresWarehouse(postgres_url, key=KEY, schema=f"test_{secrets.token_hex(6)}")
            )
            return made[-1]

        yield make
        for warehouse in made:
            warehouse.close()
        link = PostgresLink(postgres_url, "public", "url")
        connection = link.open()
        connection.run_all([f"DROP SCHEMA {warehouse.schema} CASCADE" for warehouse in made])
        connection.close()
