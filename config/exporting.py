"""The warehouse as files for others: Parquet or CSV, a file for each day of what grows by day.

A day is read anew when anything about it may read otherwise, and its file replaced when it does, so
exporting again into the same folder brings late links, people's words and erasures there and
touches nothing else. How far an export came stands in ``export.json`` in its folder.
"""

import csv
import filecmp
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from config.cells import tame
from pipeline.errors import Misuse, TryLater
from pipeline.ports import Row

#: Views that are exported by day of ``event_at``, and those that are written whole.
BY_DAY: Final = ("feedback", "mention_tracks", "incident_feedback")
WHOLE: Final = (
    "incidents",
    "crowd",
    "rumours",
    "mentions_hourly",
    "coverage",
    "spend",
    "removals",
    "erasures",
)
STATE: Final = "export.json"
#: What was being written while an export began may have an earlier time than that.
OVERLAP: Final = timedelta(hours=1)


class Exported(Protocol):
    """What an export asks of a warehouse."""

    def rows(self, query: str, **values: Any) -> list[Row]:
        """The answer to one of our own named queries."""
        ...

    def stream(self, query: str, **values: Any) -> Iterator[pa.RecordBatch]:
        """The same in batches, an empty one first."""
        ...


class Export:
    """One export into a folder. ``texts``: with what people wrote, and reasons that quote it."""

    def __init__(self, warehouse: Exported, folder: Path, form: str, *, texts: bool) -> None:
        self._warehouse = warehouse
        self._folder = folder
        self._form = form
        self._texts = texts

    def run(self, now: datetime, advance: Callable[[int, int], None]) -> list[Path]:
        """Writes what changed; ``advance`` is told done and all. Raises TryLater, Misuse.

        Returns the files written. ``now`` is where the next export goes on.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            days = [row["day"] for row in self._warehouse.rows("changed_days", since=self._since())]
            parts = [(view, None) for view in WHOLE] + [
                (view, day) for day in days for view in BY_DAY
            ]
            written: list[Path] = []
            for done, (view, day) in enumerate(parts, 1):
                path, is_new = self._write(view, day)
                if is_new:
                    written.append(path)
                advance(done, len(parts))
            self._note(now)
        except OSError as error:
            raise TryLater(f"{self._folder} cannot be written: {error.strerror}") from error
        return written

    def _since(self) -> datetime | None:
        """From when on changes matter; None for a new folder."""
        try:
            told = orjson.loads((self._folder / STATE).read_bytes())
            form, texts, at = told["format"], told["texts"], datetime.fromisoformat(told["to"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Misuse(f"{self._folder / STATE} is not ours: name another folder") from error
        if (form, texts) != (self._form, self._texts):
            told = "with texts" if texts else "without texts"
            raise Misuse(f"{self._folder} holds an export as {form} {told}: name another folder")
        return at - OVERLAP

    def _note(self, now: datetime) -> None:
        state = {"to": now.astimezone(UTC).isoformat(), "format": self._form, "texts": self._texts}
        with _replaced(self._folder / STATE) as draft:
            draft.path.write_bytes(orjson.dumps(state))

    def _write(self, view: str, day: datetime | None) -> tuple[Path, bool]:
        """Where it stands, and whether anything in it reads otherwise than before."""
        values: dict[str, Any] = {}
        path = self._folder / f"{view}.{self._form}"
        if day is not None:
            values = {"from_at": day, "to_at": day + timedelta(days=1), "texts": self._texts}
            path = self._folder / view / f"date_day={day:%Y-%m-%d}" / f"{view}.{self._form}"
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        batches = map(plain, self._warehouse.stream(f"export_{view}", **values))
        with _replaced(path) as draft:
            (write_csv if self._form == "csv" else write_parquet)(batches, draft.path)
        return path, draft.is_new


class _replaced:  # noqa: N801 - used as a function
    """A draft that takes the place of a file at once, readable by its owner only.

    A file that holds the same already is left as it is: ``is_new`` is then false.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.path = path.with_name(f".{path.name}.new")
        self.is_new = True

    def __enter__(self) -> Self:
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.is_new = not _holds_the_same(self._path, self.path)
        if error is None and self.is_new:
            self.path.replace(self._path)
        else:
            with suppress(OSError):
                self.path.unlink()


def _holds_the_same(old: Path, new: Path) -> bool:
    return old.is_file() and filecmp.cmp(old, new, shallow=False)


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


def write_parquet(batches: Iterator[pa.RecordBatch], path: Path) -> None:
    """One Parquet file."""
    first = next(batches)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as file:
        for batch in batches:
            file.write_batch(batch)


def write_csv(batches: Iterator[pa.RecordBatch], path: Path) -> None:
    """One CSV file with a line of names; no spreadsheet takes a cell for a formula."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        for number, batch in enumerate(batches):
            if not number:
                rows.writerow(batch.schema.names)
            rows.writerows(_rows(batch))


def _rows(batch: pa.RecordBatch) -> Iterator[Sequence[Any]]:
    columns = [column.to_pylist() for column in batch.columns]
    for row in zip(*columns, strict=True):
        yield [tame(cell) for cell in row]
