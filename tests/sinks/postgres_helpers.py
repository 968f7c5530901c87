"""What the tests of PostgreSQL share."""

from collections.abc import Callable

from sinks.postgres_link import PostgresLink
from sinks.postgres_warehouse import PostgresWarehouse
from tests.servers.postgres import PostgresServer

KEY = bytes(range(32))
MakeOn = Callable[..., PostgresWarehouse]


def drop(url: str, schemas: list[str]) -> None:
    """Removes schemas that tests made."""
    connection = PostgresLink(url, "public", "url").open()
    connection.run_all([f"DROP SCHEMA IF EXISTS {schema} CASCADE" for schema in set(schemas)])
    connection.close()


def admin(server: PostgresServer, *statements: str) -> list[dict[str, object]]:
    """What the superuser gets for the last of some statements."""
    connection = PostgresLink(server.admin_url, "public", "admin").open()
    connection.run_all(statements[:-1])
    found: list[dict[str, object]] = connection.run(statements[-1], copy=False).to_pylist()
    connection.close()
    return found
