"""What a tab is sent when the feed changes, and when it is slow."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ports import Rows, Warehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.web.scene import WallClock, feedback
from web.feed import Channel, Feed, Tab
from web.parts import Part

POSTS = Part("posts")


def events(data: bytes) -> list[Any]:
    """The data of each event in what was sent."""
    lines = data.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def apply(known: dict[str, Any], event: dict[str, Any]) -> None:
    """What the page's script does with an event of rows."""
    if "all" in event:
        known.clear()
        known.update({row["id"]: row for row in event["all"]})
    else:
        known.update({row["id"]: row for row in event["put"]})
        for key in event["gone"]:
            del known[key]


def test_a_tab_that_saw_everything_gets_the_change_only() -> None:
    """The second time only what is new is sent."""
    channel = Channel(POSTS)
    tab = Tab([channel])
    channel.take([{"id": "1"}])
    assert events(tab.news()) == [{"all": [{"id": "1"}]}]
    channel.take([{"id": "2"}, {"id": "1"}])
    assert events(tab.news()) == [{"put": [{"id": "2"}], "gone": []}]
    assert tab.news() == b""


def test_nothing_is_sent_when_nothing_changed() -> None:
    """Reading the same rows again is no news."""
    channel = Channel(POSTS)
    assert channel.take([{"id": "1"}])
    assert not channel.take([{"id": "1"}])


rows = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)).map(
    lambda found: [{"id": key, "value": value} for key, value in found.items()]
)


@given(st.lists(st.tuples(rows, st.booleans()), min_size=1))
def test_however_slow_a_tab_is_it_ends_with_the_newest(
    story: Sequence[tuple[list[dict[str, Any]], bool]],
) -> None:
    """Whatever a tab missed, the next thing it is sent brings it to the present state."""
    channel = Channel(POSTS)
    tab = Tab([channel])
    known: dict[str, Any] = {}
    for state, is_awake in [*story, (story[-1][0], True)]:
        channel.take(state)
        if is_awake:
            for event in events(tab.news()):
                apply(known, event)
            assert sorted(known.values(), key=str) == sorted(state, key=str)


class Counting:
    """A warehouse that counts what is read from it."""

    def __init__(self, inner: Warehouse) -> None:
        self.inner = inner
        self.reads: list[str] = []
        self.asked = 0

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        self.reads.append(query)
        return self.inner.rows(query, **values)

    def revision(self) -> int:
        self.asked += 1
        return self.inner.revision()


def test_many_tabs_share_one_read_and_none_costs_nothing(tmp_path: Path) -> None:
    """Ten tabs with the same filters read once; after the last one left nothing is asked."""
    warehouse = DuckDBWarehouse(tmp_path / "groundswell.duckdb")
    counting = Counting(warehouse)

    async def story() -> None:
        feed = Feed(warehouse=lambda: counting, clock=WallClock(), status=dict)  # type: ignore[arg-type,return-value]
        streams = [feed.events([POSTS]) for _ in range(10)]
        for stream in streams:
            while b"event: posts" not in await anext(stream):
                pass
        assert counting.reads == ["newest_feedback"]
        warehouse.write(Rows(feedback=[feedback("new")]), datetime.now(UTC))
        for stream in streams:
            while b"new" not in await anext(stream):
                pass
        assert counting.reads == ["newest_feedback"] * 2
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.6)
        asked = counting.asked
        await asyncio.sleep(0.6)
        assert counting.asked == asked
        await feed.close()

    asyncio.run(story())
    warehouse.close()


def test_a_warehouse_in_trouble_is_told_and_left_alone(tmp_path: Path) -> None:
    """A failing read reaches the tab as a state, without the text of what failed."""

    class Broken(Counting):
        def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
            raise ValueError("the secret words of a post")

    warehouse = DuckDBWarehouse(tmp_path / "groundswell.duckdb")
    broken = Broken(warehouse)

    async def story() -> bytes:
        feed = Feed(warehouse=lambda: broken, clock=WallClock(), status=dict)  # type: ignore[arg-type,return-value]
        stream = feed.events([POSTS])
        while b"troubled" not in (data := await anext(stream)):
            pass
        await stream.aclose()  # type: ignore[attr-defined]
        await feed.close()
        return data

    data = asyncio.run(story())
    assert b"ValueError" in data
    assert b"secret" not in data
    warehouse.close()
