"""What the users of ClickHouse must be granted: what docs/clickhouse.md says is enough."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

import pytest

pytest.importorskip("chdb", reason="the engine of ClickHouse is missing: make clickhouse")

from pipeline.errors import GiveUp, Misuse
from pipeline.model import Removal
from sinks import clickhouse_statements as statements
from sinks.clickhouse_link import ClickHouseLink
from sinks.clickhouse_query import answer
from sinks.clickhouse_warehouse import ClickHouseWarehouse
from tests.contracts.warehouse_faults import EVERYTHING, HELD
from tests.contracts.warehouse_words import START, minutes
from tests.servers.clickhouse import DATABASE, ClickHouseServer
from tests.servers.fixtures import served
from tests.sinks.postgres_helpers import KEY

DOCS: Final = Path(__file__).parents[2] / "docs" / "clickhouse.md"
_RIGHT = re.compile(r"^((?:GRANT|REVOKE) .*) (?:TO|FROM) (\w+);", re.MULTILINE)


def rights_of(user: str) -> list[str]:
    """The statements in the docs that give a user its rights, without its name."""
    return [text for text, name in _RIGHT.findall(DOCS.read_text()) if name == user]


def again_with(server: ClickHouseServer, rights: list[str]) -> None:
    """The server with only these rights."""
    server.kill()
    server.grants = rights
    server.start()


@pytest.fixture(scope="module")
def server() -> Iterator[ClickHouseServer]:
    """A server with a warehouse made by the program with the rights that the docs give it."""
    with served(ClickHouseServer, "ClickHouse with rights is") as server:
        again_with(server, rights_of("groundswell"))
        with closing(ClickHouseWarehouse(server.at(DATABASE), key=KEY)) as warehouse:
            warehouse.write(HELD, START)
            warehouse.write(EVERYTHING, START)
        yield server


def asked(server: ClickHouseServer, text: str) -> int:
    """How many rows an analyst gets."""
    link = ClickHouseLink(server.at(DATABASE), "url")
    with closing(link), link.asking() as connection:
        return len(answer(connection, text, 1_000, 60).rows)


def test_the_program(server: ClickHouseServer) -> None:
    """It opens, writes, asks, streams and erases with its rights; all is renewed when opened."""
    again_with(server, rights_of("groundswell"))
    gone = Removal(removal="x:1", kind="erased", at=minutes(9), scope="mention")
    with closing(ClickHouseWarehouse(server.at(DATABASE), key=KEY, migrate=True)) as warehouse:
        receipt = warehouse.erase([gone], minutes(10))
        posts = warehouse.rows("newest_feedback")
        streamed = [batch.num_rows for batch in warehouse.stream("export_incidents")]
    assert receipt["mentions"] == 1
    assert posts
    assert sum(streamed) == 1


@pytest.mark.parametrize("right", ["INSERT, ", "CREATE TABLE, "])
def test_with_less_it_says_what_it_needs(server: ClickHouseServer, right: str) -> None:
    """One line with what to grant, when it opens or when it writes."""
    (granted,) = rights_of("groundswell")
    assert right in granted
    again_with(server, [granted.replace(right, "")])
    with (
        pytest.raises(GiveUp, match=f"may not do this in the database {DATABASE}: grant it"),
        closing(ClickHouseWarehouse(server.at(DATABASE), key=KEY)) as warehouse,
    ):
        warehouse.write(EVERYTHING, START)


def refused(server: ClickHouseServer) -> set[str]:
    """The views that an analyst cannot read as they are."""
    found = set()
    for name in statements.views():
        try:
            asked(server, f"SELECT * FROM {name} LIMIT 1")
        except Misuse as error:
            if "Not enough privileges" not in str(error):
                raise
            found.add(name)
    return found


def test_analysts_read_and_nothing_else(server: ClickHouseServer) -> None:
    """Every view; nothing is written or dropped, whatever the SQL."""
    again_with(server, rights_of("analyst"))
    assert refused(server) == set()
    assert asked(server, "SELECT text FROM feedback") > 0
    for text in ("DROP TABLE {}", "INSERT INTO {} VALUES ('a', 'b', 1)"):
        with pytest.raises(HTTPError) as error:
            server.run(text.format(f"{DATABASE}.meta_row"))
        with closing(error.value) as said:
            assert said.headers["X-ClickHouse-Exception-Code"] == "497"


def test_some_read_no_words(server: ClickHouseServer) -> None:
    """What people wrote, also as the reason for a link, is refused; all else is there."""
    again_with(server, rights_of("nowords"))
    assert refused(server) == {"feedback", "incident_feedback", "link_now"}
    assert asked(server, "SELECT id, link_state FROM incident_feedback") > 0
    assert asked(server, "SELECT id, intent FROM fct_mention") > 0
    for text in ("SELECT text FROM mention_private", "SELECT evidence FROM fct_link"):
        with pytest.raises(Misuse, match="Not enough privileges"):
            asked(server, text)
