"""What is wrong with a DuckDB file, in one clear line that says what to do.

DuckDB opens more than its own files: of a CSV or JSON file it makes a database in memory, for an
SQLite file it goes and fetches an extension. So what a file is shows before DuckDB is asked.
"""

import os
from pathlib import Path
from typing import Final

import duckdb

from pipeline.errors import GiveUp, GroundswellError, Misuse, TryLater

#: Where the mark of a DuckDB file stands, and what it is.
_MARK_AT: Final = 8
_MARK: Final = b"DUCK"
#: Bytes that tell what a file is.
_START: Final = 16
_KINDS: Final = (
    (b"SQLite format 3", "a file of SQLite, as a broker's"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"{", "a file of JSON (`groundswell replay` reads posts into a warehouse)"),
)
#: Parts of what DuckDB says of a file whose bytes are not what it wrote.
_DAMAGED: Final = (
    "Corrupt database file",
    "Could not read enough bytes",
    "Failed to deserialize",
    "Serialization Error",
)


class Owned(GiveUp):
    """The file is somebody else's for now."""


class DiskTrouble(TryLater):
    """The disk is full or cannot be written; once it can, the file has to be opened anew."""


class MemoryTrouble(TryLater):
    """What was asked needs more memory than DuckDB may have."""


def look(path: Path, *, read_only: bool) -> None:
    """Raises Misuse or GiveUp for what cannot be opened as a warehouse, before DuckDB tries."""
    folder = path.absolute().parent
    try:
        if path.is_dir():
            raise Misuse(f"{path} is a folder: name a file for the warehouse")
        with path.open("rb") as file:
            start = file.read(_START)
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise Misuse(f"there is no folder {path.parent} for the warehouse: make it") from error
        if not read_only:
            _may_write(folder, f"the folder {folder}")
        return
    except NotADirectoryError as error:
        raise Misuse(f"{path.parent} is no folder: name another file") from error
    except OSError as error:
        raise GiveUp(f"the warehouse {path} cannot be read: {error.strerror}") from error
    if not start.startswith(_MARK, _MARK_AT):
        raise foreign(path, start)
    if not read_only:
        _may_write(path, f"the warehouse {path}")
        _may_write(folder, f"the folder {folder} of the warehouse {path.name}")


def foreign(path: Path, start: bytes = b"") -> GiveUp:
    """What to say about a file that is not ours; ``start`` is how it begins, if that tells."""
    if not start:
        return GiveUp(f"{path} is no warehouse of this program; name another file")
    kind = next((kind for mark, kind in _KINDS if start.startswith(mark)), "no DuckDB file at all")
    return GiveUp(f"{path} is no warehouse of this program, it is {kind}; name another file")


def translated(error: duckdb.Error, path: Path) -> GroundswellError:
    """DuckDB's error in our words."""
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        return Owned(
            f"the warehouse {path} belongs to another process: `groundswell up` may be "
            "running; stop it, or read the snapshot with `groundswell query`"
        )
    if "configuration has been locked" in text or "different configuration" in text:
        return Owned(f"the warehouse {path} is already open in this process")
    if any(part in text for part in _DAMAGED):
        return GiveUp(
            f"the warehouse {path} is damaged (cut short, or overwritten): put a backup in its "
            "place, or move it away with the files beside it and replay what was recorded"
        )
    if "not a valid DuckDB database" in text:
        return foreign(path)
    if "version number" in text and "read versions" in text:
        return GiveUp(f"the warehouse {path} was written by a newer DuckDB: update this program")
    if isinstance(error, duckdb.IOException) and "does not exist" in text:
        return Misuse(f"there is no warehouse at {path}")
    if "No space left" in text or "invalidated" in text:
        return DiskTrouble(f"the disk of the warehouse {path} is full: make room on it")
    if isinstance(error, duckdb.IOException):
        return DiskTrouble(f"the disk of the warehouse {path} is full or cannot be written")
    if isinstance(error, duckdb.OutOfMemoryException):
        return MemoryTrouble(f"the warehouse {path} needs more memory than its limit")
    # DuckDB's own text may quote values, and values are what strangers wrote.
    return GiveUp(f"the warehouse {path} failed: {type(error).__name__}")


def _may_write(path: Path, name: str) -> None:
    if not os.access(path, os.W_OK):
        raise GiveUp(f"{name} cannot be written: mend its rights, or name another with --warehouse")
