"""The command ``export``: what comes out, and what a second export writes."""

import csv
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from config import dictionary
from config.exporting import BY_DAY, WHOLE, Export
from pipeline.errors import Misuse, TryLater
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, decision, feedback, incident, link, minutes
from tests.end_to_end.program import run

LATER = timedelta(days=2)


def export(warehouse: DuckDBWarehouse, folder: Path, form: str = "parquet") -> list[str]:
    """The names of the files that an export writes, within the folder."""
    made = Export(warehouse, folder, form, texts=True)
    files = made.run(START + LATER + timedelta(hours=3), lambda *_: None)
    return [str(file.relative_to(folder)) for file in files]


def filled(path: Path) -> DuckDBWarehouse:
    """A warehouse with posts of three days."""
    warehouse = DuckDBWarehouse(path)
    words = [
        feedback(day * 10 + n, text=f"post {day} {n}", at=day * 24 * 60 + n)
        for day in range(3)
        for n in range(3)
    ]
    warehouse.write(Rows(feedback=words), START)
    return warehouse


def texts(folder: Path) -> list[str]:
    """All texts that were exported."""
    files = sorted(folder.glob("feedback/*/feedback.parquet"))
    return [t for file in files for t in pq.read_table(file).column("text").to_pylist()]


def test_a_second_export_writes_what_changed(tmp_path: Path) -> None:
    """A file for each day; a late link and an erasure reach the day they are about."""
    folder = tmp_path / "out"
    with closing(filled(tmp_path / "a.duckdb")) as warehouse:
        first = export(warehouse, folder)
        assert {f"{view}.parquet" for view in ("crowd", "rumours", "spend", "erasures")} <= {*first}
        assert len([name for name in first if name.startswith("feedback/")]) == 3
        assert sorted(texts(folder)) == [f"post {d} {n}" for d in range(3) for n in range(3)]
        removal = Removal(removal="x:11", kind="erased", at=START, scope="mention")
        warehouse.write(Rows(removals=[removal]), START + LATER + timedelta(hours=4))
        again = export(warehouse, folder)
        days = {name.split("/")[1] for name in again if name.startswith("feedback/")}
        assert days == {f"date_day={START + timedelta(days=1):%Y-%m-%d}"}
        assert "post 1 1" not in texts(folder)
        assert b"post 1 1" not in b"".join(f.read_bytes() for f in folder.rglob("*.parquet"))
        assert len(texts(folder)) == 9


def test_an_export_of_nothing_new_writes_nothing(tmp_path: Path) -> None:
    """What a person settled is written once, though the next export looks at that day again."""
    folder = tmp_path / "out"
    with closing(filled(tmp_path / "a.duckdb")) as warehouse:
        export(warehouse, folder)
        over = decision("d1", "link", "x:11", "status:1")
        warehouse.write(Rows(decisions=[over]), START + LATER + timedelta(hours=3))
        assert any(name.startswith("incident_feedback/") for name in export(warehouse, folder))
        assert export(warehouse, folder) == []
        assert not list(folder.rglob("*.new"))


def test_types_and_rights(tmp_path: Path) -> None:
    """Times are in UTC, counts whole numbers; nobody else may read the files."""
    folder = tmp_path / "out"
    with closing(filled(tmp_path / "a.duckdb")) as warehouse:
        export(warehouse, folder)
    table = pq.read_table(next(folder.glob("feedback/*/feedback.parquet")))
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["event_at"] == "timestamp[us, tz=UTC]"
    assert (kinds["intent_p"], kinds["version"], kinds["is_removed"]) == ("double", "int64", "bool")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_every_column_of_the_views_is_exported(tmp_path: Path) -> None:
    """In the views' order: what the dictionary and the file for dbt tell of stands in the files."""
    folder = tmp_path / "out"
    with closing(filled(tmp_path / "a.duckdb")) as warehouse:
        export(warehouse, folder)
    known = dictionary.columns()
    assert sorted([*BY_DAY, *WHOLE]) == sorted(dictionary.STABLE)
    for view in dictionary.STABLE:
        file = next(folder.rglob(f"{view}.parquet"))
        names = [name for name, _ in known[view]]
        assert pq.read_schema(file).names == names, view


def test_lists_are_exported_as_one_text(tmp_path: Path) -> None:
    """With commas between; an empty one is NULL, as in the other views."""
    with closing(filled(tmp_path / "a.duckdb")) as warehouse:
        warehouse.write(Rows(incidents=[incident()]), START)
        export(warehouse, tmp_path / "out")
        held = warehouse.sql("SELECT tracks, components, regions, url FROM incidents").rows[0]
    (row,) = pq.read_table(tmp_path / "out" / "incidents.parquet").to_pylist()
    lists = [", ".join(words) or None for words in held[:3]]
    assert [row["tracks"], row["components"], row["regions"]] == lists
    assert (row["tracks"], row["url"]) == ("acme", held[3])


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """What a spreadsheet would run has an apostrophe before it."""
    hostile = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=x", "\uff1d1", "plain, with a comma"]
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as warehouse:
        words = [feedback(n, text=text, at=n) for n, text in enumerate(hostile)]
        warehouse.write(Rows(feedback=words), START)
        export(warehouse, tmp_path / "out", "csv")
    path = next((tmp_path / "out").glob("feedback/*/feedback.csv"))
    with path.open(encoding="utf-8", newline="") as file:
        found = [row["text"] for row in csv.DictReader(file)]
    assert found == [*(f"'{text}" for text in hostile[:-1]), hostile[-1]]


def test_texts_only_when_asked_for(tmp_path: Path) -> None:
    """Without --texts neither a text nor a reason that quotes it leaves the warehouse."""
    path = tmp_path / "groundswell.duckdb"
    with closing(DuckDBWarehouse(path)) as warehouse:
        word = feedback(1, text="unmistakable words", links=[link("status:1")])
        warehouse.write(Rows(feedback=[word]), minutes(1))
    told = run("export", "out", "--format", "csv", cwd=tmp_path).stdout.decode()
    assert "files written to out" in told
    files = [f for f in (tmp_path / "out").rglob("*") if f.is_file()]
    assert not any(b"unmistakable" in file.read_bytes() for file in files)
    run("export", "out", "--format", "csv", "--texts", cwd=tmp_path, code=2)
    run("export", "out2", "--warehouse", "nowhere.duckdb", cwd=tmp_path, code=2)
    run("export", "out3", "--texts", cwd=tmp_path)
    assert texts(tmp_path / "out3") == ["unmistakable words"]
    answer = run("query", "SELECT 1 AS n UNION ALL SELECT 2", "--rows", "1", cwd=tmp_path)
    assert b"cut after 1 rows" in answer.stderr


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    """A file in the folder's place, and a folder with another program's state, are named."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "export.json").write_text(json.dumps({"a": 1}))
    with closing(filled(tmp_path / "a.duckdb")) as warehouse:
        with pytest.raises(TryLater, match="cannot be written"):
            export(warehouse, tmp_path / "file")
        with pytest.raises(Misuse, match="not ours"):
            export(warehouse, tmp_path / "theirs")
