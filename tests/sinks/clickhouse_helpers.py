"""What the tests of ClickHouse share."""

import secrets

from hypothesis import HealthCheck, settings

from sinks.clickhouse_link import ClickHouseLink

#: A database and all its views take a second to make: a few examples must do.
FEW = settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)


def new_database(engine: str) -> str:
    """The address of a new and empty database."""
    name = f"test_{secrets.token_hex(6)}"
    run(f"{engine}default", f"CREATE DATABASE {name}")
    return engine + name


def run(url: str, *statements: str) -> None:
    """Runs statements as the database's owner might."""
    connection = ClickHouseLink(url, "url").open()
    for statement in statements:
        connection.run(statement)
    connection.close()
