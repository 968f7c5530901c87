"""Which folders the warehouse was exported to, so that an erasure reaches them, too.

A list beside the warehouse (or beside its key, for a warehouse on a server) names the folders that
``groundswell export`` wrote from this machine. Copies that were made of them are nobody's here:
their loaders read the tombstones.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from config.settings import DEFAULT_KEY, Settings
from pipeline.errors import GroundswellError, TryLater
from pipeline.ports import Row

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


class Exported(Protocol):
    """What an export asks of a warehouse."""

    def rows(self, query: str, **values: Any) -> list[Row]:
        """The answer to one of our own named queries."""
        ...

    def stream(self, query: str, **values: Any) -> "Iterator[pa.RecordBatch]":
        """The same in batches, an empty one first."""
        ...


class Erased(NamedTuple):
    """How many folders changed, and the names of those that could not be written."""

    changed: int
    failed: tuple[str, ...]


class Exports:
    """The list of one warehouse. Safe to share between processes: lines are only added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[tuple[str, str], Row | None] = {}

    def note(self, folder: Path, form: str, *, texts: bool) -> None:
        """Remembers a folder that an export may write to, before it is written. Raises TryLater."""
        told = {"folder": str(folder.resolve()), "format": form, "texts": texts}
        if told in self._folders():
            return
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "ab") as file:
                file.write(orjson.dumps(told) + b"\n")
                os.fsync(file.fileno())
        except OSError as error:
            raise TryLater(f"{self._path} cannot be written: {error.strerror}") from error

    def erase(self, warehouse: Exported) -> Erased:
        """Takes what was erased since they were written out of all folders.

        A folder that cannot be written now is told in the log and tried again the next time.
        """
        if not (folders := self._folders()):
            return Erased(0, ())
        from config.exporting import Export  # Parquet is slow to import, and seldom needed here

        changed, failed = 0, []
        for told in folders:
            folder, key = Path(told["folder"]), _key(told)
            export = Export(warehouse, folder, told["format"], texts=told["texts"])
            try:
                files, done = export.erase(self._done.get(key))
            except GroundswellError as error:
                log.warning("what was erased may still stand in an export: %s", error)
                failed.append(told["folder"])
            else:
                self._done[key] = done
                changed += bool(files)
        return Erased(changed, tuple(failed))

    def _folders(self) -> list[dict[str, Any]]:
        """What was noted, without half a line that a crash left.

        The last word on a folder and format counts: with texts or not, it is the same files.
        """
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TryLater(f"{self._path} cannot be read: {error.strerror}") from error
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for line in lines:
            try:
                told = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and told.keys() >= {"folder", "format", "texts"}:
                found[_key(told)] = told
        return [*found.values()]


def _key(told: dict[str, Any]) -> tuple[str, str]:
    """What tells the files of one note from those of another."""
    return told["folder"], told["format"]


def of_warehouse(path: Path) -> Exports:
    """The list of the DuckDB warehouse at a path."""
    return Exports(path.with_name(f"{path.name}.exports"))


def of_settings(known: Settings) -> Exports:
    """The list of the warehouse of the settings."""
    if known.warehouse.url is None:
        return of_warehouse(known.warehouse.path)
    key = known.warehouse.key_file or DEFAULT_KEY
    return Exports(key.with_name(f"{key.name}.exports"))
