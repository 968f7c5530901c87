"""Changes that take something away from a day: what they leave, every database must find again."""

import random
from pathlib import Path
from typing import Final

from config.erasing import Kept
from pipeline.ports import Rows
from tests.config.export_loader import DAY, Loader, days, export, whole
from tests.contracts.warehouse_rollups import batches, moved
from tests.contracts.warehouse_words import START, Word, decision, feedback

_HEAD: Final = [
    feedback(1, text="first words"),
    feedback(2, at=DAY, repeat="copy", group=1),
    feedback(3, at=2 * DAY, repeat="copy", group=1),
]
#: What was there, what came after the export, and the days with posts that read otherwise since.
MOVES: Final[dict[str, tuple[Rows, Rows, set[int]]]] = {
    "to another day": (
        Rows(feedback=[feedback(1), feedback(2)]),
        Rows(feedback=[feedback(1, version=1, at=DAY)]),
        {0, 1},
    ),
    "the last of its day": (
        Rows(feedback=[feedback(1)]),
        Rows(feedback=[feedback(1, version=1, at=DAY)]),
        {1},
    ),
    "out of its group": (
        Rows(feedback=_HEAD),
        Rows(feedback=[feedback(1, version=1, group=9, text="other words")]),
        {0, 1},
    ),
}
#: Where decisions are kept under ids that clients choose, and used again.
AGAIN: Final = (
    Rows(
        feedback=[feedback(1), feedback(2, at=DAY)],
        decisions=[decision("d", "relabel", "x:1", "intent=question")],
    ),
    Rows(decisions=[decision("d", "relabel", "x:2", "intent=question", at=40)]),
    {0, 1},
)


#: The tables by name.
Tables = dict[str, list[dict[str, object]]]


def after_move(
    kept: Kept, folder: Path, before: Rows, after: Rows
) -> tuple[set[str], Tables, Tables]:
    """The days that come again, what a loader holds then, and what a new folder holds."""
    kept.write(before, START)
    export(kept, folder / "out")
    loader = Loader(folder / "out")
    loader.load()
    kept.write(after, START)
    again = days(export(kept, folder / "out"))
    loader.load()
    return again, loader.tables, whole(kept, folder / "whole")


def named(touched: set[int]) -> set[str]:
    """The days of ``MOVES`` as manifests name them."""
    return {f"2026-03-{2 + day:02}" for day in touched}


def after_worlds(kept: Kept, folder: Path, words: list[Word], seed: int) -> tuple[Tables, Tables]:
    """After writes of all sorts with exports in between: what a loader and a new folder hold."""
    pick = random.Random(seed)
    loader = Loader(folder / "out")
    for rows in batches([moved(word, seed) for word in words], pick):
        kept.write(rows, START)
        if pick.random() < 0.8:
            export(kept, folder / "out")
    export(kept, folder / "out")
    loader.load()
    return loader.tables, whole(kept, folder / "whole")


def words_in(folder: Path, words: bytes) -> list[str]:
    """The files of a CSV export that hold these words."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.relative_to(folder).as_posix() for path in files if words in path.read_bytes()]
