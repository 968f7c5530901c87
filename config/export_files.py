"""The files of an export: drafts that take a file's place at once, Parquet and CSV in them."""

import csv
import filecmp
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from config.cells import tame

#: How the names of drafts end: what a crash left is found by it and removed.
DRAFT: Final = ".new"


class Replaced:
    """A draft that takes the place of a file at once, readable by its owner only.

    A file that holds the same already is left as it is: ``is_new`` is then false. The content is on
    the disk by then, the name once ``sync`` was told of the folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.path = path.with_name(f".{path.name}{DRAFT}")
        self.is_new = True

    def __enter__(self) -> Self:
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.is_new = not _holds_the_same(self._path, self.path)
        if error is None and self.is_new:
            sync(self.path)
            self.path.replace(self._path)
        else:
            with suppress(OSError):
                self.path.unlink()


def _holds_the_same(old: Path, new: Path) -> bool:
    return old.is_file() and filecmp.cmp(old, new, shallow=False)


def sync(path: Path) -> None:
    """Has a file or a folder's list of files reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, told: Any) -> None:
    """One JSON document in a file's place."""
    with Replaced(path) as draft:
        draft.path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))
    sync(path.parent)


def sweep(folder: Path) -> None:
    """Removes drafts that a crash left: they may hold what is erased meanwhile."""
    for draft in folder.rglob(f".*{DRAFT}"):
        draft.unlink()


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written(batches: Iterator[pa.RecordBatch], path: Path, form: str) -> tuple[pa.Schema, int]:
    """Writes batches, the first of them empty, as ``parquet`` or ``csv``; schema and rows."""
    return (_csv if form == "csv" else _parquet)(map(plain, batches), path)


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch in the same types from every database: times in UTC, whole numbers of 64 bits."""
    schema = pa.schema([(field.name, _type(field)) for field in batch.schema])
    return pa.RecordBatch.from_arrays(
        [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)],
        schema=schema,
    )


def _type(field: pa.Field) -> pa.DataType:
    kind = field.type
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC")
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(kind) else kind


def _parquet(batches: Iterator[pa.RecordBatch], path: Path) -> tuple[pa.Schema, int]:
    first, rows = next(batches), 0
    with pq.ParquetWriter(path, first.schema, compression="zstd") as file:
        for batch in batches:
            file.write_batch(batch)
            rows += batch.num_rows
    return first.schema, rows


def _csv(batches: Iterator[pa.RecordBatch], path: Path) -> tuple[pa.Schema, int]:
    """With a line of names; no spreadsheet takes a cell for a formula."""
    first, count = next(batches), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(first.schema.names)
        for batch in batches:
            rows.writerows(_rows(batch))
            count += batch.num_rows
    return first.schema, count


def _rows(batch: pa.RecordBatch) -> Iterator[Sequence[Any]]:
    columns = [column.to_pylist() for column in batch.columns]
    for row in zip(*columns, strict=True):
        yield [tame(cell) for cell in row]
