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
#: What was there, what came after the export, and the days that read otherwise since.
MOVES: Final[dict[str, tuple[Rows, Rows, set[int]]]] = {
    "to another day": (
        Rows(feedback=[feedback(1), feedback(2)]),
        Rows(feedback=[feedback(1, version=1, at=DAY)]),
        {0, 1},
    ),
    "the last of its day": (
        Rows(feedback=[feedback(1)]),
        Rows(feedback=[feedback(1, version=1, at=DAY)]),
        {0, 1},
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


def check_move(kept: Kept, folder: Path, move: tuple[Rows, Rows, set[int]]) -> None:
    """The days come again, and a loader holds what a new folder would."""
    before, after, touched = move
    kept.write(before, START)
    export(kept, folder / "out")
    loader = Loader(folder / "out")
    loader.load()
    kept.write(after, START)
    assert days(export(kept, folder / "out")) >= {f"2026-03-{2 + day:02}" for day in touched}
    loader.load()
    assert filled(loader) == filled_whole(kept, folder / "whole")


def filled(loader: Loader) -> dict[str, list[dict[str, object]]]:
    """The tables that hold rows: a day that was left by all may be a file without any."""
    return {name: rows for name, rows in loader.tables.items() if rows}


def filled_whole(kept: Kept, folder: Path) -> dict[str, list[dict[str, object]]]:
    """Those of an export into a new folder."""
    return {name: rows for name, rows in whole(kept, folder).items() if rows}


def check_worlds(kept: Kept, folder: Path, words: list[Word], seed: int) -> None:
    """After writes of all sorts with exports in between, a loader holds what a new folder does."""
    pick = random.Random(seed)
    loader = Loader(folder / "out")
    for rows in batches([moved(word, seed) for word in words], pick):
        kept.write(rows, START)
        if pick.random() < 0.8:
            export(kept, folder / "out")
    export(kept, folder / "out")
    loader.load()
    assert filled(loader) == filled_whole(kept, folder / "whole")


def words_in(folder: Path, words: bytes) -> list[str]:
    """The files of a CSV export that hold these words."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.relative_to(folder).as_posix() for path in files if words in path.read_bytes()]
