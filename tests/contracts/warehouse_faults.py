"""What every warehouse must bear: crashes between statements, odd names, exports in batches."""

import itertools
from typing import Any

import pytest

from pipeline.model import Coverage, Removal
from pipeline.ports import Receipt, Rows, Warehouse
from sinks.write import Write
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_words import (
    OFFICIAL,
    START,
    all_views,
    decision,
    feedback,
    incident,
    late,
    link,
    minutes,
    view,
)

#: Something of everything, so that a write runs every statement there is.
HELD = Rows(feedback=[feedback(n, author=f"a{n % 5}") for n in range(10)])
EVERYTHING = Rows(
    feedback=[feedback(n, version=1, links=[link(OFFICIAL)]) for n in range(5, 15)],
    links=[late(n, link(OFFICIAL, version=2), version=1) for n in range(5, 8)],
    incidents=[incident()],
    decisions=[decision("d1", "link", "x:9", OFFICIAL)],
    removals=[
        Removal(removal="x:1", kind="erased", at=minutes(5), scope="mention"),
        Removal(removal="x:6", kind="erased", at=minutes(5), scope="mention"),
        Removal(removal="x:a2", kind="erased", at=minutes(5), scope="author"),
        Removal(removal="x:3", kind="hidden", at=minutes(5), scope="mention"),
    ],
    coverage=[Coverage(source="x", from_at=START, to_at=minutes(9))],
    receipts=[Receipt("r", START, START, "ada", "was asked", 1, 1, ("tables",))],
)
ODD_NAMES = (
    "it's",
    'say "so"',
    "semi;colon -- DROP TABLE fct_mention",
    "$id $1 %s {name} @word",
    "back\\slash",
    "ключ 鍵 🔑",
)


class Crash(BaseException):
    """The end of the process at this very place, as far as the database can tell."""


class FaultContract:
    """Part of the contract of ``WarehouseContract``."""

    def test_a_crash_between_any_two_statements(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of the batch is there, and the same batch written again is there once."""
        undisturbed = make()
        undisturbed.write(HELD, START)
        undisturbed.write(EVERYTHING, START)
        wanted = all_views(undisturbed)

        warehouse = make()
        warehouse.write(HELD, START)
        before = all_views(warehouse)
        whole = Write._upsert
        left = itertools.count()

        def dying(write: Write, name: str, batch: Any, **values: Any) -> Any:
            if next(left) == last:
                raise Crash
            return whole(write, name, batch, **values)

        monkeypatch.setattr(Write, "_upsert", dying)
        for last in itertools.count():
            left = itertools.count()
            try:
                warehouse.write(EVERYTHING, START)
            except Crash:
                assert all_views(warehouse) == before, f"after {last} statements"
            else:
                break
        assert last > 10
        assert all_views(warehouse) == wanted

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names(self, warehouse: Warehouse, name: str) -> None:
        """Quotes, semicolons and signs of placeholders are letters like any other."""
        number = f"status:{name}"
        warehouse.write(
            Rows(
                feedback=[feedback(name, text=name, links=[link(number)], tracks=(name,))],
                incidents=[incident(number, title=name)],
                decisions=[decision("d1", "relabel", f"x:{name}", f"topic={name}")],
            ),
            START,
        )
        (row,) = warehouse.rows("newest_feedback", track=name)
        assert (row["id"], row["text"], row["topic"]) == (f"x:{name}", name, name)
        assert row["incident_title"] == name
        (found,) = warehouse.rows("incident", id=number)
        assert (found["title"], found["mentions"]) == (name, 1)
        warehouse.write(
            Rows(removals=[Removal(removal=f"x:{name}", kind="erased", at=START)]), minutes(1)
        )
        (gone,) = view(warehouse, "feedback")
        assert (gone["text"], gone["is_removed"]) == (None, True)

    def test_handles_of_a_post_and_of_an_author(self, warehouse: Warehouse) -> None:
        """A reason to forget somebody must hold none of them; what is gone has none."""
        posts = [feedback(n, author="ann" if n < 3 else "ben") for n in (1, 2, 3)]
        warehouse.write(Rows(feedback=posts), START)
        asked = ("x:1", "x:ann", "x:ben", "x:9", "' OR 1=1 --")
        found = [[r["handle"] for r in warehouse.rows("handles_of", id=number)] for number in asked]
        assert found == [["handle-1"], ["handle-1", "handle-2"], ["handle-3"], [], []]
        gone = Removal(removal="x:ann", kind="erased", at=minutes(5), scope="author")
        warehouse.write(Rows(removals=[gone]), minutes(5))
        assert warehouse.rows("handles_of", id="x:ann") == []

    def test_an_export_comes_in_batches(self, make: Make) -> None:
        """A stream gives what the view gives, an empty batch with the names first."""
        warehouse: Any = make()
        warehouse.write(HELD, START)
        values = {"from_at": START, "to_at": minutes(60), "texts": True}
        batches = list(warehouse.stream("export_feedback", **values))
        assert batches[0].num_rows == 0
        assert "text" in batches[0].schema.names
        streamed = sorted(row["id"] for batch in batches for row in batch.to_pylist())
        assert streamed == sorted(row["id"] for row in view(warehouse, "feedback"))
        assert {day["day"] for day in warehouse.rows("changed_days")} == {
            START.replace(hour=0, minute=0)
        }
        newest = max(row["arrival"] for row in warehouse.rows("newest_feedback"))
        assert warehouse.rows("changed_days", since=newest) == []
