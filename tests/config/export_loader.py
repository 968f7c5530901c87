"""A loader of exports, and what its tests share."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from config.export_state import STATE
from config.exported import Exported
from config.exporting import Export
from pipeline.ports import Rows
from tests.contracts.warehouse_words import feedback, minutes

DAY = 24 * 60


class Loader:
    """Loads an export as docs/analysts.md says: it knows nothing but manifests and files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.done = 0
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.removed: dict[str, str] = {}

    def load(self) -> list[dict[str, Any]]:
        """Takes in every manifest that is new; returns them."""
        last = json.loads((self._folder / STATE).read_bytes())["number"]
        names = sorted((self._folder / "manifests").glob("*.json"))
        told = [json.loads(name.read_bytes()) for name in names]
        new = [manifest for manifest in told if self.done < manifest["number"] <= last]
        for manifest in new:
            if manifest["is_full"]:
                self.tables.clear()
            for file in manifest["files"]:
                path = self._folder / file["path"]
                if path.exists():  # otherwise a later manifest tells that it is gone
                    self.tables[file["path"]] = pq.read_table(path).to_pylist()
            for path in manifest["gone"]:
                self.tables.pop(path, None)
            if manifest["tombstones"] is not None:
                stones = pq.read_table(self._folder / manifest["tombstones"]["path"]).to_pylist()
                self.removed |= {row["id"]: row["kind"] for row in stones}
        self.done = last
        return new


def export(warehouse: Exported, folder: Path, since: int | None = None) -> list[str]:
    """Exports with texts; the names of the files that changed."""
    made = Export(warehouse, folder, "parquet", texts=True)
    files = made.run(minutes(3 * DAY), lambda *_: None, since)
    return [file.relative_to(folder).as_posix() for file in files]


def held(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the files of an export hold, by their names."""
    files = [file for file in folder.rglob("*.parquet") if file.parent.name != "tombstones"]
    return {f.relative_to(folder).as_posix(): pq.read_table(f).to_pylist() for f in files}


def whole(warehouse: Exported, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What an export into a new folder holds."""
    shutil.rmtree(folder, ignore_errors=True)
    export(warehouse, folder)
    loader = Loader(folder)
    loader.load()
    return loader.tables


def days(names: list[str]) -> set[str]:
    """The days of feedback among names of files."""
    return {n.split("date_day=")[1][:10] for n in names if n.startswith("feedback/")}


def posts() -> Rows:
    """Posts of three days, three a day."""
    numbers = [(day, n) for day in range(3) for n in range(3)]
    return Rows(
        feedback=[feedback(d * 10 + n, text=f"post {d} {n}", at=d * DAY + n) for d, n in numbers]
    )
