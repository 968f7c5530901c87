"""Parts of mention_private and fct_link: made by day, written anew after an erasure, joined."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import TryLater
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks import postgres_parts, rollups
from sinks.postgres_link import PostgresLink
from sinks.postgres_parts import span_of
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse_words import (
    OFFICIAL,
    START,
    all_views,
    feedback,
    incident,
    link,
    listed,
    minutes,
    one,
)
from tests.servers.postgres import PostgresServer
from tests.sinks.postgres_helpers import MakeOn, admin

DAY = 24 * 60.0
TODAY = START.date()
PARTS = (
    "SELECT c.relname::text, c.oid::bigint, pg_get_expr(c.relpartbound, c.oid) "
    "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r' "
    "AND i.inhparent IN ('mention_private'::regclass, 'fct_link'::regclass) ORDER BY 1"
)


def parts(warehouse: PostgresWarehouse) -> dict[str, int]:
    """The parts by name; a part that was written anew has another number."""
    return {name: number for name, number, _ in warehouse.sql(PARTS).rows}


def erased(*ids: str) -> Rows:
    """What a platform tells of deleted posts."""
    return Rows(
        removals=[
            Removal(removal=number, kind="erased", at=minutes(9), scope="mention") for number in ids
        ]
    )


@given(day=st.dates(date(2000, 1, 1), date(2060, 1, 1)), today=st.dates(date(2020, 1, 1)))
def test_every_day_has_one_span(day: date, today: date) -> None:
    """A day lies in its span, and so does every other day of that span."""
    first, end = span_of(day, today)
    assert first <= day < end
    assert {span_of(other, today) for other in (first, end - timedelta(days=1))} == {(first, end)}


def test_posts_of_many_years_make_few_parts(make_on: MakeOn) -> None:
    """One batch over 25 years and 200 days gets years, months and days, and all of it is there."""
    warehouse = make_on()
    told = [feedback(n, at=-n * DAY) for n in range(200)]
    told += [feedback(1000 + n, at=-n * 365 * DAY) for n in range(40)]
    warehouse.write(Rows(feedback=told), START)
    made = parts(warehouse)
    # Days of March and February, months of 2026 and 2025, years from 2000 on.
    assert len(made) < 31 + 14 + 26
    assert {"mention_private_20260302", "mention_private_20260201"} <= made.keys()
    assert {"mention_private_20251201", "mention_private_20000101"} <= made.keys()
    texts = warehouse.sql("SELECT count(*), count(text) FROM feedback").rows
    assert texts == [(240, 240)]
    warehouse.write(Rows(feedback=told), START)
    assert parts(warehouse) == made


def test_an_edit_that_moves_a_post_leaves_it_one_row(make_on: MakeOn) -> None:
    """Its words stay under the day of the first version, wherever the edit puts the post."""
    warehouse = make_on()
    warehouse.write(Rows(feedback=[feedback(1)]), START)
    warehouse.write(Rows(feedback=[feedback(1, at=-50 * DAY, version=2, text="edited")]), START)
    warehouse.write(Rows(feedback=[feedback(1, at=-90 * DAY, version=1, text="older")]), START)
    assert one(warehouse, 1)["text"] == "edited"
    found = warehouse.sql("SELECT text, day::text FROM mention_private").rows
    assert found == [("edited", TODAY.isoformat())]


def test_a_post_from_the_future_takes_no_room(make_on: MakeOn) -> None:
    """It stands under tomorrow, and the days that follow get parts of their own."""
    warehouse = make_on()
    warehouse.write(Rows(feedback=[feedback(1, at=900 * DAY)]), START)
    later = START + timedelta(days=2)
    warehouse.write(Rows(feedback=[feedback(2, at=2 * DAY)]), later)
    warehouse.write(Rows(feedback=[feedback(3, at=3 * DAY)]), later)
    names = [name for name in parts(warehouse) if name.startswith("mention_private")]
    assert names == [f"mention_private_2026030{day}" for day in (3, 4, 5)]


def test_writers_make_room_for_each_other(make_on: MakeOn) -> None:
    """A day that another process made a part for is written to, and an undone one made again."""
    first, second = make_on(), make_on()
    first.write(Rows(feedback=[feedback(1)]), START)
    second.write(Rows(feedback=[feedback(2)]), START)
    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr("sinks.write.Write._links", _interrupt)
        first.write(Rows(feedback=[feedback(3, at=DAY)]), START)
    assert one(second, 2)["text"]
    first.write(Rows(feedback=[feedback(3, at=DAY)]), START)
    assert one(second, 3)["text"]


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


# ---- erasure -----------------------------------------------------------------------------------


def test_an_erasure_writes_one_day_anew(make_on: MakeOn) -> None:
    """Of many days only the one of the post that was erased is another table afterwards."""
    warehouse = make_on()
    told = [feedback(n, at=-(n % 9) * DAY) for n in range(90)]
    warehouse.write(Rows(feedback=told), START)
    before = parts(warehouse)
    removal = Removal(removal="x:3", kind="erased", at=minutes(9), scope="mention")
    warehouse.erase([removal], minutes(10))
    after = parts(warehouse)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"mention_private_20260227"}
    assert one(warehouse, 12)["text"] == "the shop is down, says 12"
    assert warehouse.sql("SELECT count(*) FROM mention_private").rows == [(89,)]


def test_removals_of_a_platform_reach_the_bytes_too(
    postgres_server: PostgresServer, make_on: MakeOn
) -> None:
    """They are noted with the rows, so another process, later, writes anew what held the words."""
    told = "unmistakable words that a platform takes back"
    warehouse = make_on()
    keep = [feedback(n, links=[link(OFFICIAL)]) for n in range(200)]
    gone = feedback("gone", text=told, author="cem-0816", links=[link(OFFICIAL)])
    warehouse.write(Rows(feedback=[*keep, gone]), START)

    def held() -> bool:
        admin(postgres_server, "CHECKPOINT", "SELECT 1")
        files = [path for path in (postgres_server.data / "base").glob("*/*") if path.is_file()]
        found = False
        for path in files:
            with suppress(FileNotFoundError):  # the server removes files of its own
                contents = path.read_bytes()
                found |= told.encode() in contents or b"cem-0816" in contents
        return found

    assert held()
    assert warehouse.write(erased("x:gone"), START) == ["x:gone"]
    assert held()
    warehouse.close()
    later = make_on()
    assert later.tidy(START) == ["fct_link_all", "mention_private_20260302"]
    assert not held()
    assert later.tidy(START) == []
    assert len(all_views(later)["incident_feedback"]) == 200


def test_who_reads_is_not_locked_out(
    postgres_server: PostgresServer, make_on: MakeOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long export holds the new table off, not the other way round; next time it gives way."""
    monkeypatch.setattr(postgres_parts, "_TRIES", 2)
    monkeypatch.setattr(postgres_parts, "_LOCK_SECONDS", 1)
    warehouse = make_on()
    warehouse.write(Rows(feedback=[feedback(n) for n in range(50)]), START)
    warehouse.write(erased("x:1"), START)
    export = PostgresLink(postgres_server.url, warehouse.schema, "url").open()
    export.run_all(["BEGIN", "SELECT text FROM feedback"])
    with pytest.raises(TryLater):
        warehouse.tidy(START)
    assert one(warehouse, 2)["text"]
    export.run_all(["COMMIT"])
    export.close()
    assert warehouse.tidy(START) == ["mention_private_20260302"]


def test_a_roll_up_counts_no_part_that_came_after_it(
    make_on: MakeOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the warehouse as it began, in which the rows of a newer part are not there yet."""
    monkeypatch.setattr(postgres_parts, "_TRIES", 1)
    monkeypatch.setattr(postgres_parts, "_LOCK_SECONDS", 1)
    warehouse, other = make_on(), make_on()
    told = [feedback(n, links=[link(OFFICIAL)]) for n in range(20)]
    warehouse.write(Rows(feedback=told, incidents=[incident()]), START)
    warehouse.write(erased("x:1"), START)
    rolled = rollups.roll_up

    def meanwhile(*given: Any) -> int:
        with pytest.raises(TryLater):
            other.tidy(START)
        return rolled(*given)

    monkeypatch.setattr("sinks.postgres_warehouse.roll_up", meanwhile)
    assert warehouse.roll_up(START)
    assert listed(warehouse, OFFICIAL)["mentions"] == 20
    assert "fct_link_all" in other.tidy(START)
    assert listed(warehouse, OFFICIAL)["mentions"] == 20


def test_half_a_rewrite_leaves_all_as_it_was(make_on: MakeOn) -> None:
    """Who is interrupted before the commit has changed nothing, and the next one does it."""
    warehouse = make_on()
    warehouse.write(Rows(feedback=[feedback(n) for n in range(50)]), START)
    warehouse.write(erased("x:1"), START)
    before = parts(warehouse)
    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(postgres_parts.Parts, "_attach", _interrupt)
        warehouse.tidy(START)
    assert parts(warehouse) == before
    warehouse.write(Rows(feedback=[feedback(60)]), START)
    assert warehouse.tidy(START) == ["mention_private_20260302"]
    assert one(warehouse, 60)["text"]


# ---- days gone by ------------------------------------------------------------------------------


def test_days_gone_by_are_joined(make_on: MakeOn) -> None:
    """Two months later the days are a month, two years later a year, with every row."""
    warehouse = make_on()
    told = [feedback(n, at=-n * DAY, links=[link(OFFICIAL)]) for n in range(45)]
    warehouse.write(Rows(feedback=told), START)
    assert warehouse.tidy(START) == []
    before = all_views(warehouse)
    may = datetime(2026, 5, 3, tzinfo=UTC)
    joined = warehouse.tidy(may)
    assert joined == ["mention_private_20260201", "mention_private_20260301"]
    assert all_views(warehouse) == before
    warehouse.write(Rows(feedback=[feedback(100, at=-10 * DAY)]), may)
    assert warehouse.tidy(may) == []
    assert warehouse.tidy(may.replace(year=2029)) == ["mention_private_20260101"]
    assert one(warehouse, 100)["text"]
    assert len([name for name in parts(warehouse) if name.startswith("mention_private")]) == 1


def test_large_parts_stay_apart(
    postgres_server: PostgresServer, make_on: MakeOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is joined that would keep writers waiting for too long."""
    warehouse = make_on()
    warehouse.write(Rows(feedback=[feedback(n, at=-(n % 3) * DAY) for n in range(90)]), START)
    admin(postgres_server, f"ANALYZE {warehouse.schema}.mention_private", "SELECT 1")
    monkeypatch.setattr(postgres_parts, "MOST_ROWS", 50)
    assert warehouse.tidy(START + timedelta(days=500)) == []


def test_parts_keep_no_examples(make_on: MakeOn) -> None:
    """The server's statistics of a part, new or joined, hold nothing that people wrote."""
    warehouse = make_on()
    told = [feedback(n, at=-(n % 40) * DAY, links=[link(OFFICIAL)]) for n in range(400)]
    warehouse.write(Rows(feedback=told), START)
    warehouse.write(erased("x:1"), START)
    warehouse.tidy(START + timedelta(days=100))
    wordy = (
        "SELECT DISTINCT attname::text FROM pg_attribute a JOIN pg_inherits i "
        "ON i.inhrelid = a.attrelid WHERE i.inhparent IN ('mention_private'::regclass, "
        "'fct_link'::regclass) AND attnum > 0 AND attstattarget <> 0 ORDER BY 1"
    )
    kept = {name for (name,) in warehouse.sql(wordy).rows}
    assert kept.isdisjoint(
        {"text", "handle", "url", "author_id", "hashtags", "mentions", "links", "evidence"}
    )
