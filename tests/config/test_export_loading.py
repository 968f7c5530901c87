"""Those who load exports elsewhere hold what the warehouse holds, whatever happened meanwhile."""

import hashlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.export_state import STATE
from config.exported import of_warehouse
from config.exporting import BY_DAY, WHOLE, Export
from pipeline.errors import Misuse
from pipeline.model import Coverage, Feedback, Removal
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.config.export_loader import DAY, Loader, days, export, held, posts, whole
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    Word,
    apart,
    decision,
    feedback,
    incident,
    late,
    link,
    minutes,
    rows_of,
    worlds,
)
from tests.end_to_end.program import run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a warehouse is that is still to be made."""
    return tmp_path / "groundswell.duckdb"


@pytest.fixture
def warehouse(path: Path) -> Iterator[DuckDBWarehouse]:
    """A warehouse with posts of three days."""
    with closing(DuckDBWarehouse(path)) as made:
        made.write(posts(), START)
        yield made


# ---- what is told -------------------------------------------------------------------------------


def test_a_manifest_names_what_it_brings(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """Every file with its rows, bytes and checksum, the columns, and how complete the days are."""
    gap = Coverage(
        source="x", from_at=minutes(60), to_at=minutes(120), is_gap=True, cause="stopped"
    )
    span = Coverage(source="x", from_at=START, to_at=minutes(DAY))
    warehouse.write(Rows(coverage=[gap, span]), START)
    folder = tmp_path / "out"
    export(warehouse, folder)
    (manifest,) = Loader(folder).load()
    assert (manifest["number"], manifest["previous"], manifest["is_full"]) == (1, 0, True)
    assert {file["view"] for file in manifest["files"]} == {*BY_DAY, *WHOLE}
    for file in manifest["files"]:
        data = (folder / file["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
        assert pq.read_table(folder / file["path"]).num_rows == file["rows"]
        assert (file["date_day"] is None) == (file["view"] in WHOLE)
    columns = manifest["schema"]["columns"]["feedback"]
    assert columns["event_at"] == "timestamp[us, tz=UTC]"
    assert manifest["schema"]["warehouse"] >= 5
    first = manifest["completeness"][0]
    assert (first["date_day"], first["source"], first["track"]) == ("2026-03-02", "x", None)
    assert (first["seconds_read"], first["seconds_blind"]) == (14 * 3600, 3600)
    assert first["causes"] == "stopped"
    mark = warehouse.rows("export_mark")[0]["watermark"]
    assert manifest["watermark"] == mark > 0


CHANGES: dict[str, tuple[Rows, set[int]]] = {
    "late link": (Rows(links=[late(11, link(OFFICIAL))]), {1}),
    "a person's label": (Rows(decisions=[decision("d", "relabel", "x:1", "noise=yes")]), {0}),
    "a model's label": (Rows(feedback=[feedback(21, at=2 * DAY + 1, model="m2")]), {2}),
    "linked by a person": (Rows(decisions=[decision("d", "link", "x:20", OFFICIAL)]), {2}),
    "hidden": (Rows(removals=[Removal(removal="x:10", kind="hidden", at=START)]), {1}),
    "erased": (Rows(removals=[Removal(removal="x:a10", kind="erased", at=minutes(DAY * 9))]), {1}),
    "an earlier head": (
        Rows(feedback=[feedback("new", text="post 2 1", at=1, repeat="copy", group=21)]),
        {0, 2},
    ),
    "an incident": (Rows(incidents=[incident()]), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_days_that_changed_come_again(
    warehouse: DuckDBWarehouse, tmp_path: Path, change: str
) -> None:
    """A late link, a person's word, a removal or an earlier post touches its own day alone."""
    rows, touched = CHANGES[change]
    folder = tmp_path / "out"
    export(warehouse, folder)
    loader = Loader(folder)
    loader.load()
    warehouse.write(rows, minutes(-60))  # a writer whose clock goes wrong by hours
    assert days(export(warehouse, folder)) == {f"2026-03-{2 + day:02}" for day in touched}
    loader.load()
    assert loader.tables == whole(warehouse, tmp_path / "whole")
    removed = {"hidden": {"x:10": "hidden"}, "erased": {"x:10": "erased"}}
    assert loader.removed == removed.get(change, {})


def test_merges_reach_the_days_of_their_links(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """Also through an incident that was merged before, and back when the merge is undone."""
    names = [PROPOSAL, f"{PROPOSAL}-2", OFFICIAL]
    warehouse.write(
        Rows(
            incidents=[incident(name, status="proposed") for name in names[:2]] + [incident()],
            links=[late(1, link(names[0])), late(11, link(names[1]))],
            decisions=[decision("d1", "merge", names[0], names[1])],
        ),
        START,
    )
    folder = tmp_path / "out"
    export(warehouse, folder)
    loader = Loader(folder)
    both = {"2026-03-02", "2026-03-03"}
    steps = [("merge", OFFICIAL, both), ("accept", "", both), ("dismiss", "", {"2026-03-03"})]
    for number, (verb, value, changed) in enumerate(steps):
        over = decision(f"e{number}", verb, names[1], value, at=60 + number)
        warehouse.write(Rows(decisions=[over]), START)
        assert days(export(warehouse, folder)) == changed
        loader.load()
        assert loader.tables == whole(warehouse, tmp_path / "whole")


def spread(word: Word) -> Word:
    """The same word on a day of its mention's own."""
    if not isinstance(word, Feedback):
        return word
    at = word.mention.said_at + timedelta(days=int(word.mention.external_id))
    times = {"said_at": at, "event_at": at, "seen_at": at}
    return word.model_copy(update={"mention": word.mention.model_copy(update=times)})


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(words=worlds(), seed=st.integers(0, 2**32))
def test_a_loader_holds_what_the_warehouse_holds(
    tmp_path: Path, words: list[Word], seed: int
) -> None:
    """Whatever is written in whatever pieces, with a removal and a merge among it."""
    pick = random.Random(seed)
    base = Path(tempfile.mkdtemp(dir=tmp_path))
    shuffled = apart([spread(word) for word in words], pick)
    pick.shuffle(shuffled)
    with closing(DuckDBWarehouse(base / "a.duckdb")) as made:
        loader = Loader(base / "out")
        while shuffled:
            size = pick.randint(min(8, len(shuffled)), len(shuffled))
            made.write(rows_of(shuffled[:size]), minutes(pick.randint(-99, 99)))
            shuffled = shuffled[size:]
            export(made, base / "out")
            if pick.random() < 0.6:
                loader.load()
        loader.load()
        assert loader.tables == whole(made, base / "whole")
        gone = made.sql("SELECT id FROM feedback WHERE is_removed").rows
        assert {row[0] for row in gone} <= loader.removed.keys()


def test_since_a_watermark(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """A folder may begin at a watermark that somebody holds; one that never was is refused."""
    export(warehouse, tmp_path / "out")
    (manifest,) = Loader(tmp_path / "out").load()
    warehouse.write(Rows(links=[late(11, link(OFFICIAL))]), START)
    names = export(warehouse, tmp_path / "delta", since=manifest["watermark"])
    assert days(names) == {"2026-03-03"}
    again = export(warehouse, tmp_path / "delta", since=manifest["watermark"])
    assert days(again) == {"2026-03-03"}, "asked for once more, told once more"
    (first, second) = Loader(tmp_path / "delta").load()
    assert (first["since"], first["is_full"]) == (manifest["watermark"], False)
    assert second["number"] > first["number"]
    with pytest.raises(Misuse, match="has come to"):
        export(warehouse, tmp_path / "delta", since=manifest["watermark"] + 99)


def test_a_day_that_all_posts_left_is_gone(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """Its files are removed and named, once; a loader that is late passes them over."""
    folder = tmp_path / "out"
    export(warehouse, folder)
    loader, late_one = Loader(folder), Loader(folder)
    (first,) = loader.load()
    moved = [feedback(10 + n, version=1, at=2 * DAY + n, text="moved") for n in range(3)]
    warehouse.write(Rows(feedback=moved), START)
    assert days(export(warehouse, folder)) == {"2026-03-04"}
    (told,) = loader.load()
    left = {f"{view}/date_day=2026-03-03/{view}.parquet" for view in BY_DAY}
    assert {*told["gone"]} == left
    assert left.isdisjoint(file["path"] for file in told["files"])
    assert not list(folder.glob("*/date_day=2026-03-03"))
    late_one.load()
    assert loader.tables == late_one.tables == whole(warehouse, tmp_path / "whole")
    assert export(warehouse, folder) == []
    export(warehouse, tmp_path / "delta", since=first["watermark"])
    (delta,) = Loader(tmp_path / "delta").load()
    assert {*delta["gone"]} == left, "whoever held all until then holds that day"


def test_histories_are_exported(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """A row that ends is in the next run, with the one that begins; no row or column is missing."""
    folder = tmp_path / "out"
    warehouse.write(Rows(incidents=[incident()], links=[late(11, link(OFFICIAL))]), START)
    export(warehouse, folder)
    again = Rows(
        feedback=[feedback(11, at=DAY + 1, intent="question", model="m2")],
        incidents=[incident(title="The shop fails", version=2)],
        decisions=[decision("d", "unlink", "x:11", OFFICIAL, at=30)],
    )
    warehouse.write(again, minutes(40))
    assert days(export(warehouse, folder)) == {"2026-03-03"}
    loader = Loader(folder)
    loader.load()
    by_day = "{0}/date_day=2026-03-03/{0}.parquet"
    posts_of = [
        row for row in loader.tables[by_day.format("mention_history")] if row["id"] == "x:11"
    ]
    assert [(row["intent"], row["tracks"], row["valid_to"]) for row in posts_of] == [
        ("report", "acme", minutes(40)),
        ("question", "acme", None),
    ]
    links = loader.tables[by_day.format("link_history")]
    assert [(row["link_state"], row["valid_to"]) for row in links] == [
        ("linked", minutes(30)),
        ("unlinked", None),
    ]
    known = loader.tables["incident_as_known.parquet"]
    assert [row["title"] for row in known] == ["The shop is failing", "The shop fails"]
    (went,) = loader.tables["incident_history.parquet"]
    assert (went["status"], went["valid_to"]) == ("investigating", None)
    for view in ("mention_history", "link_history", "incident_history", "incident_as_known"):
        rows = [row for name, t in loader.tables.items() if Path(name).stem == view for row in t]
        table = warehouse.sql(f"SELECT * FROM {view}")
        assert len(rows) == len(table.rows)
        assert [*rows[0]] == table.columns


# ---- crashes, backups, two at once ---------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: nothing catches this."""


def test_killed_between_any_two_steps(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run completes it, and loaders miss nothing of what the killed one replaced."""
    folder = tmp_path / "out"
    export(warehouse, folder)
    loader = Loader(folder)
    loader.load()
    steps, kills, pick = 10**6, 0, random.Random(7)

    def step(_: int) -> None:  # before a name is given, and when folders and states are done
        nonlocal steps
        if not steps:
            raise Killed
        steps -= 1

    monkeypatch.setattr(os, "fsync", step)
    for number in range(200):
        gone = Removal(removal=f"x:{number % 3 * 10}", kind="erased", at=START, scope="mention")
        steps = 10**6
        warehouse.write(Rows(links=[late(1, link(f"statuspage:{number}"))], removals=[gone]), START)
        steps = number
        try:
            export(warehouse, folder)
        except Killed:
            kills += 1
            steps = 10**6
            if pick.random() < 0.5:
                loader.load()  # between the two
            export(warehouse, folder)
        else:
            break
        loader.load()
        assert loader.tables == held(folder)
    assert kills >= 8
    steps = 10**6
    loader.load()
    assert loader.tables == whole(warehouse, tmp_path / "whole")
    assert not list(folder.rglob("*.new"))


def test_a_warehouse_from_a_backup_is_written_anew(path: Path, tmp_path: Path) -> None:
    """Numbers are given for a second time there: all is told again, and what it lacks is gone."""
    folder, backup = tmp_path / "out", tmp_path / "backup.duckdb"
    with closing(DuckDBWarehouse(path)) as first:
        first.write(posts(), START)
    shutil.copy(path, backup)
    with closing(DuckDBWarehouse(path)) as first:
        first.write(Rows(feedback=[feedback(91, at=5 * DAY), feedback(92, at=1)]), minutes(1))
        export(first, folder)
    loader = Loader(folder)
    loader.load()
    shutil.copy(backup, path)
    with closing(DuckDBWarehouse(path)) as restored:
        more = [feedback(n, at=DAY) for n in range(300, 303)]
        restored.write(Rows(feedback=more), minutes(2))
        export(restored, folder)
        (manifest,) = loader.load()
        assert manifest["is_full"]
        assert any("2026-03-07" in name for name in manifest["gone"])
        assert loader.tables == whole(restored, tmp_path / "whole")
        restored.write(Rows(feedback=[feedback(400, at=DAY)]), minutes(3))
        assert days(export(restored, folder)) == {"2026-03-03"}


def test_a_folder_of_an_earlier_release_is_written_anew(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """Its state told a time and no files: whatever stands there is replaced or taken away."""
    folder = tmp_path / "out"
    stale = folder / "feedback" / "date_day=2020-01-01" / "feedback.parquet"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    old = {"to": "2026-03-02T09:00:00+00:00", "format": "parquet", "texts": True}
    (folder / STATE).write_text(json.dumps(old))
    export(warehouse, folder)
    loader = Loader(folder)
    (manifest,) = loader.load()
    assert (manifest["is_full"], stale.exists()) == (True, False)
    assert loader.tables == whole(warehouse, tmp_path / "whole")


def test_two_exports_at_once(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """The second into one folder is refused while the first writes."""

    def second(*_: int) -> None:
        with pytest.raises(Misuse, match="another export"):
            export(warehouse, tmp_path / "out")

    Export(warehouse, tmp_path / "out", "parquet", texts=False).run(START, second)


# ---- erasure ------------------------------------------------------------------------------------


def test_forget_reaches_exports(path: Path, tmp_path: Path) -> None:
    """The bytes leave every folder at once; their loaders hear of it at the next export."""
    with closing(DuckDBWarehouse(path)) as made:
        words = [feedback(1, text="unmistakable words"), feedback(2, text="other words", at=DAY)]
        made.write(Rows(feedback=words), START)
        (author,) = {
            row[0] for row in made.sql("SELECT author_key FROM feedback WHERE id = 'x:1'").rows
        }
    (tmp_path / "gone").mkdir()
    run("export", "out", "--texts", cwd=tmp_path)
    run("export", "csv", "--texts", "--format", "csv", cwd=tmp_path)
    run("export", "gone/moved", "--texts", cwd=tmp_path)
    shutil.rmtree(tmp_path / "gone")
    loader = Loader(tmp_path / "out")
    loader.load()
    left = tmp_path / "out" / "feedback" / ".feedback.parquet.new"
    left.write_bytes(b"unmistakable words of a draft")
    told = json.loads(run("forget", "--author", "x:a1", cwd=tmp_path).stdout)
    assert told["mentions"] == 1
    for folder in ("out", "csv"):
        files = [file for file in (tmp_path / folder).rglob("*") if file.is_file()]
        tables = [str(pq.read_table(f).to_pylist()) for f in files if f.suffix == ".parquet"]
        held = b"".join(f.read_bytes() for f in files) + "".join(tables).encode()
        assert b"unmistakable" not in held
        assert author.encode() not in held
        assert b"other words" in held
    run("export", "out", "--texts", cwd=tmp_path)
    (manifest,) = loader.load()
    assert loader.removed == {"x:1": "erased"}
    assert days([file["path"] for file in manifest["files"]]) == {"2026-03-02"}
    (receipt,) = DuckDBWarehouse(path, read_only=True).sql("SELECT places FROM erasures").rows
    assert "exports" in receipt[0]


def test_what_platforms_have_removed_leaves_exports(
    warehouse: DuckDBWarehouse, path: Path, tmp_path: Path
) -> None:
    """Every hour the folders follow; one that is gone, or cannot be used, keeps nobody from it."""
    exports = of_warehouse(path)
    assert exports.erase(warehouse) == (0, ())
    for name in ("out", "broken"):
        exports.note(tmp_path / name, "parquet", texts=True)
        exports.note(tmp_path / name, "parquet", texts=True)
        export(warehouse, tmp_path / name)
    (tmp_path / "broken" / STATE).write_text("{}")
    broken = (str(tmp_path / "broken"),)
    assert exports.erase(warehouse) == (0, broken)
    gone = Removal(removal="x:11", kind="erased", at=START, scope="mention")
    warehouse.write(Rows(removals=[gone]), START)
    assert exports.erase(warehouse) == (1, broken)
    assert exports.erase(warehouse) == (0, broken)
    held = b"".join(f.read_bytes() for f in (tmp_path / "out").rglob("*.parquet"))
    texts = [str(pq.read_table(f).to_pylist()) for f in (tmp_path / "out").rglob("*.parquet")]
    assert "post 1 1" not in held.decode("latin-1") + "".join(texts)
    assert (path.with_name(f"{path.name}.exports").stat().st_mode & 0o777) == 0o600
