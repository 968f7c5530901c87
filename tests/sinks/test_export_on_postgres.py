"""Exports of a warehouse on PostgreSQL."""

from contextlib import closing
from pathlib import Path

import pytest

from config.erasing import Kept
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.config.export_loader import DAY, Loader, days, export, posts
from tests.config.export_moves import AGAIN, MOVES, after_move, named
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, late, link
from tests.sinks.postgres_helpers import MakeOn


def test_both_databases_tell_the_same(make_on: MakeOn, tmp_path: Path) -> None:
    """A change and a removal come as they do from DuckDB."""
    changed = Rows(
        links=[late(11, link(OFFICIAL))],
        removals=[Removal(removal="x:20", kind="erased", at=START, scope="mention")],
    )
    told = []
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb", key=bytes(range(32)))) as file:
        both: tuple[Kept, Kept] = (file, make_on())
        for number, kept in enumerate(both):
            folder = tmp_path / f"out-{number}"
            kept.write(posts(), START)
            export(kept, folder)
            kept.write(changed, START)
            names = export(kept, folder)
            loader = Loader(folder)
            assert [manifest["is_full"] for manifest in loader.load()] == [True, False]
            told.append((days(names), loader.removed, loader.tables))
    assert told[0][:2] == ({"2026-03-03", "2026-03-04"}, {"x:20": "erased"})
    assert told[0] == told[1]


@pytest.mark.parametrize("move", [*MOVES.values(), AGAIN], ids=[*MOVES, "a decision's id again"])
def test_days_that_were_left_come_again(
    make_on: MakeOn, tmp_path: Path, move: tuple[Rows, Rows, set[int]]
) -> None:
    """As from DuckDB: also what a post, a repeat or a person's word was part of before."""
    again, held, new = after_move(make_on(), tmp_path, *move[:2])
    assert again >= named(move[2])
    assert held == new


def test_removed_posts_are_removed_from_the_days_they_were_on(make_on: MakeOn) -> None:
    """A post that moved names both its days."""
    kept = make_on()
    kept.write(Rows(feedback=[feedback(1)]), START)
    kept.write(Rows(feedback=[feedback(1, version=1, at=DAY)]), START)
    gone = Removal(removal="x:1", kind="erased", at=START, scope="mention")
    kept.write(Rows(removals=[gone]), START)
    assert [row["day"].day for row in kept.rows("removed_days", since=-1)] == [2, 3]
