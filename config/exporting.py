"""The warehouse as files for others: Parquet or CSV, a file for each day of what grows by day.

A run writes the days anew of which anything may read otherwise than at the run before it, found by
``arrival``, the number that the warehouse gives to all that is written: no clock of any writer can
lead past a change. Beside them stand the tombstones (what was hidden or erased since) and a
manifest that names what changed, with its checksums and how complete the days are. Last of all
``export.json`` says how far the folder came; killed anywhere before that, the next run does all of
it again. A warehouse put back from a backup is noticed, and everything written anew.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from config.export_files import Replaced, plain, sha256, sweep, sync, written
from config.export_state import FORM, File, State, next_number, write_manifest
from config.exported import Exported
from pipeline.errors import Misuse, TryLater
from pipeline.ports import Row

#: Views that are exported by day of ``event_at``, and those that are written whole.
BY_DAY: Final = (
    "feedback",
    "mention_tracks",
    "incident_feedback",
    "mention_history",
    "link_history",
)
WHOLE: Final = (
    "incidents",
    "incident_history",
    "incident_as_known",
    "crowd",
    "rumours",
    "mentions_hourly",
    "coverage",
    "completeness",
    "spend",
    "removals",
    "erasures",
    "decisions",
    "fct_incident_update",
    "fct_proposal",
    "dim_author",
    "dim_source",
    "dim_track",
    "dim_component",
    "dim_region",
    "dim_date",
)
_LOCK: Final = ".lock"
_TOMBSTONES: Final = "tombstones"
_NO_DAY: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # as the warehouse has times
_DAY: Final = timedelta(days=1)


class _Part(NamedTuple):
    """A view, or a day of it."""

    view: str
    day: datetime | None


class Export:
    """One export into a folder. ``texts``: with what people wrote, and reasons that quote it."""

    def __init__(self, warehouse: Exported, folder: Path, form: str, *, texts: bool) -> None:
        self._warehouse = warehouse
        self._folder = folder
        self._form = form
        self._texts = texts

    def run(
        self,
        now: datetime,
        advance: Callable[[int, int], None],
        since: int | None = None,
        accepted: Callable[[], None] = lambda: None,
    ) -> list[Path]:
        """Writes what changed; ``advance`` is told done and all. Raises TryLater, Misuse.

        ``accepted`` is called once nothing refuses the folder any more, before a row reaches it.

        Returns the files that read otherwise than at the last run. ``now`` stands in the manifest.
        With ``since``, a watermark of any manifest, all days that changed after it are in the
        manifest, whatever the folder holds.
        """
        with self._alone():
            before = State.of(self._folder, self._form, texts=self._texts)
            mark = self._warehouse.rows("export_mark")[0]
            asked = None if since is None else _asked(since, mark)
            accepted()
            columns = {view: self._columns(view) for view in BY_DAY}
            start = self._start(before, mark, columns) if asked is None else asked
            files: dict[str, File] = {}
            parts = self._parts(start)
            for done, part in enumerate(parts, 1):
                file, columns[part.view] = self._write(part)
                files[file.path] = file
                advance(done, len(parts))
            left = self._remove_left(files)
            held = files if start is None else {**before.files, **files}
            after = replace(
                before,
                number=next_number(self._folder, before),
                watermark=mark["watermark"],
                written_at=mark["written_at"],
                columns=columns,
                files={name: file for name, file in held.items() if name not in left},
            )
            # Whoever begins at a watermark may hold what this folder never did.
            known = {} if start is None or since is not None else before.files
            changed = [
                file
                for file in files.values()
                if file.path not in left and known.get(file.path) != file
            ]
            gone = left if since is not None else left & before.files.keys()
            if start is None:
                gone = self._drop(before, after)
            return self._tell(before, after, changed, gone, start, now)

    def erase(self, done: Row | None = None) -> tuple[int, Row | None]:
        """Writes the files anew that hold what was erased or hidden since the last run.

        ``done`` is a mark of the warehouse up to which that was done before. Returns how many files
        changed, and the mark up to which it is done now. The folder's watermark stays, so that the
        next run tells loaders of it. What a run left that was killed is gone through as a whole.
        Raises TryLater, Misuse.
        """
        if not self._folder.is_dir():
            return 0, done  # it was moved or removed: whoever did it has it in hand
        with self._alone():
            before = State.of(self._folder, self._form, texts=self._texts)
            mark = self._warehouse.rows("export_mark")[0]
            told = {"watermark": before.watermark, "written_at": before.written_at}
            known = [done] if done else []
            known += [told] if before.begun() else []
            # Numbers that the warehouse gives for a second time say nothing of what is done.
            still = [each["watermark"] for each in known if not self._is_put_back(each, mark)]
            days = self._days("removed_days", max(still, default=-1))
            parts = [_Part(view, day) for day in days for view in BY_DAY]
            parts += [_Part("dim_author", None)] if days else []
            here = [part for part in parts if self._path(part).exists()]
            changed = sum(self._renew(part) for part in here)
        return changed, mark

    # ---- what is to be written ------------------------------------------------------------------

    def _start(self, before: State, mark: Row, columns: dict[str, dict[str, str]]) -> int | None:
        """From which arrival on changes matter; None for all, when the folder cannot be built on.

        That is a new folder, other columns than before, or a warehouse that was put back from a
        backup: then numbers that the folder knows were given, or will be, for a second time.
        """
        known = {view: before.columns.get(view) for view in BY_DAY}
        if not before.begun() or known != columns:
            return None
        told = {"watermark": before.watermark, "written_at": before.written_at}
        return None if self._is_put_back(told, mark) else before.watermark

    def _is_put_back(self, known: Row, mark: Row) -> bool:
        """Whether the warehouse was put back from a backup after it had come to a known mark."""
        if mark["watermark"] < known["watermark"]:
            return True
        asked = {name: known[name] for name in ("watermark", "written_at")}
        return known["written_at"] is not None and bool(
            self._warehouse.rows("export_again", **asked)
        )

    def _parts(self, since: int | None) -> list[_Part]:
        days = self._days("changed_days", since)
        by_day = [_Part(view, day) for day in days for view in BY_DAY]
        return [*(_Part(view, None) for view in WHOLE), *by_day]

    def _days(self, query: str, since: int | None) -> list[datetime]:
        """The days that a query names; all there are when it names one without a date.

        Those that the folder has are among them then: the warehouse may hold nothing of them now.
        """
        days = {row["day"] for row in self._warehouse.rows(query, since=since)}
        if None in days:
            folders = self._folder.glob(f"{BY_DAY[0]}/date_day=*")
            held = {folder.name.removeprefix("date_day=") for folder in folders}
            days = {row["day"] for row in self._warehouse.rows("changed_days", since=None)}
            days |= {datetime.fromisoformat(day).replace(tzinfo=UTC) for day in held}
        return sorted(days)

    def _columns(self, view: str) -> dict[str, str]:
        """The columns of a view as they would be written."""
        nothing = {"from_at": _NO_DAY, "to_at": _NO_DAY, "texts": self._texts}
        return _types(next(map(plain, self._warehouse.stream(f"export_{view}", **nothing))).schema)

    # ---- writing --------------------------------------------------------------------------------

    def _path(self, part: _Part) -> Path:
        name = f"{part.view}.{self._form}"
        if part.day is None:
            return self._folder / name
        return self._folder / part.view / f"date_day={part.day:%Y-%m-%d}" / name

    def _renew(self, part: _Part) -> bool:
        """One file in its place; whether it reads otherwise than before."""
        path = self._path(part)
        was = sha256(path)
        return self._write(part)[0].sha256 != was

    def _write(self, part: _Part) -> tuple[File, dict[str, str]]:
        """One file in its place."""
        view, day = part
        path = self._path(part)
        values: dict[str, Any] = {"texts": self._texts}
        if day is not None:
            values |= {"from_at": day, "to_at": day + _DAY}
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        batches = self._warehouse.stream(f"export_{view}", **values)
        with Replaced(path) as draft:
            schema, rows = written(batches, draft.path, self._form)
        return self._file(path, view, day, rows), _types(schema)

    def _file(self, path: Path, view: str, day: datetime | None, rows: int) -> File:
        name = path.relative_to(self._folder).as_posix()
        told = None if day is None else f"{day:%Y-%m-%d}"
        return File(name, view, told, rows, path.stat().st_size, sha256(path))

    def _remove_left(self, files: Mapping[str, File]) -> set[str]:
        """Removes the files just written of days that all posts have left; their names."""
        days = {f.date_day for f in files.values() if f.view == BY_DAY[0] and not f.rows}
        left = {f.path for f in files.values() if f.date_day is not None and f.date_day in days}
        for name in left:
            self._remove(name)
        return left

    def _remove(self, name: str) -> None:
        """Removes a file of a day, and the day's folder if it was the last in it."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()

    def _tombstones(self, number: int, since: int) -> File | None:
        """What was hidden or erased since; None for nothing."""
        path = self._folder / _TOMBSTONES / f"{number:06}.{self._form}"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        batches = self._warehouse.stream("export_tombstones", since=since)
        with Replaced(path) as draft:
            _, rows = written(batches, draft.path, self._form)
        if not rows:
            path.unlink()
            return None
        return self._file(path, _TOMBSTONES, None, rows)

    def _tell(
        self,
        before: State,
        after: State,
        changed: list[File],
        gone: set[str],
        start: int | None,
        now: datetime,
    ) -> list[Path]:
        """Writes tombstones, manifest and state, in this order; the files that changed."""
        dead = self._tombstones(after.number, -1 if start is None else start)
        for folder in {(self._folder / file.path).parent for file in changed}:
            sync(folder)
        if changed or gone or dead is not None:
            told = {
                "previous": before.number,
                "is_full": start is None,
                "since": start,
                "watermark": after.watermark,
                "at": now,
                "written_at": after.written_at,
                "format": self._form,
                "texts": self._texts,
                "schema": {"form": FORM, "warehouse": self._schema(), "columns": after.columns},
                "files": [asdict(file) for file in changed],
                "gone": sorted(gone),
                "tombstones": None if dead is None else asdict(dead),
                "completeness": self._completeness(changed),
            }
            write_manifest(self._folder, after.number, told)
        else:
            after = replace(after, number=before.number)
        after.save(self._folder, now)
        return [self._folder / file.path for file in [*changed, *([dead] if dead else [])]]

    def _drop(self, before: State, after: State) -> set[str]:
        """Removes days of which the warehouse holds nothing any more; their names."""
        here = {
            path.relative_to(self._folder).as_posix()
            for view in BY_DAY
            for path in self._folder.glob(f"{view}/date_day=*/{view}.{self._form}")
        }
        gone = (here | before.files.keys()) - after.files.keys()
        for name in gone:
            self._remove(name)
        return gone

    def _schema(self) -> int:
        return int(self._warehouse.rows("export_schema")[0]["version"])

    def _completeness(self, changed: Sequence[File]) -> list[Row]:
        """How complete the days of these files are, a row per day with a source that was read."""
        days = {file.date_day for file in changed if file.date_day is not None}
        rows = self._warehouse.rows("export_days")
        told = [row | {"date_day": f"{row['date_day']:%Y-%m-%d}"} for row in rows]
        return [row for row in told if row["date_day"] in days]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes here meanwhile; what a crash left of drafts is removed."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._folder / _LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sweep(self._folder)
                yield
            except BlockingIOError as error:
                raise Misuse(f"another export is writing to {self._folder}") from error
            finally:
                os.close(handle)
        except OSError as error:
            raise TryLater(f"{self._folder} cannot be written: {error.strerror}") from error


def _asked(since: int, mark: Row) -> int:
    """The watermark that somebody names. Raises Misuse when there cannot be such a one."""
    if not 0 <= since <= mark["watermark"]:
        told = f"the warehouse has come to {mark['watermark']}, not to {since}"
        raise Misuse(
            f"{told}: if it was put back from a backup, export all of it into a new folder"
        )
    return since


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}
