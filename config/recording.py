"""Recordings: what the sources delivered, in files of JSON lines that ``replay`` plays again.

A file for each hour and kind in one folder, readable by its owner only. Whole files go when they
are too old or all of them too large. What is erased leaves them: the lines of a mention or an
author are cut out and the file is written anew.
"""

import os
import re
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from config import forgotten
from config.forgotten import Forgotten
from config.settings import Settings
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.values import from_ms

#: The kinds of files: posts with what became of them, and incidents, for ``replay --incidents``.
POSTS: Final = "posts"
INCIDENTS: Final = "incidents"
#: What was erased is kept off the files for so many seconds, and so many names of it: lines of it
#: may be on their way. What comes later meets its removal on the topic, or the ledger.
GONE_SECONDS: Final = 3600.0
MOST_GONE: Final = 100_000
_SUFFIX: Final = ".jsonl"
_STATE: Final = "recorded-to"
#: Ids that JSON writes in one way only.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:@/-]+")


class Recording:
    """The files of one folder. Safe to share between threads; one process writes.

    What ``forgotten`` knows is not written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: timedelta,
        most_bytes: int,
        forgotten: Forgotten | None = None,
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._most = most_bytes
        self._guard = threading.Lock()
        self._gone: dict[str, float] = {}
        self._forgotten = forgotten

    @property
    def recorded_to(self) -> datetime | None:
        """Up to when everything was recorded, by the broker's clock; None: nothing yet.

        Raises as ``append`` does.
        """
        with _Disk(self._folder), suppress(FileNotFoundError, ValueError, OverflowError):
            return from_ms(int((self._folder / _STATE).read_text(encoding="ascii")))
        return None

    def append(self, lines: Iterable[tuple[str, int, bytes]], to: int | None) -> None:
        """Writes lines (kind, ms since 1970, JSON), durably, then that all up to ``to`` is there.

        ``to`` None: what was said of that stays.

        Raises TryLater when the disk is full or away, GiveUp when it must not be written or nobody
        can say what was forgotten.
        """
        with self._guard, _Disk(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Sorted out behind the guard: whatever is erased until then is known.
            for path, found in self._by_file(lines).items():
                with os.fdopen(_opened(path, os.O_APPEND), "ab") as file:
                    file.write(b"".join(b"%b\n" % line for line in found))
                    file.flush()
                    os.fsync(file.fileno())
            if to is not None:
                write_whole(self._folder / _STATE, str(to).encode())

    def _by_file(self, lines: Iterable[tuple[str, int, bytes]]) -> dict[Path, list[bytes]]:
        """The lines that are to be kept, by their files."""
        by_file: dict[Path, list[bytes]] = {}
        self._forget_old(time.monotonic())
        for kind, at, line in lines:
            # It may have been on its way here while it was erased.
            if self._gone and _concerns(line, self._gone):
                continue
            # Or forgotten long ago, and its source still has it.
            if kind == POSTS and self._forgotten is not None and self._forgotten.holds(line):
                continue
            hour = from_ms(at).astimezone(UTC).strftime("%Y%m%dT%H")
            by_file.setdefault(self._folder / f"{hour}-{kind}{_SUFFIX}", []).append(line)
        return by_file

    def _forget_old(self, now: float) -> None:
        """Drops names that nothing can be on its way of any more; the oldest stand first."""
        while self._gone:
            name = next(iter(self._gone))
            if len(self._gone) <= MOST_GONE and now - self._gone[name] < GONE_SECONDS:
                return
            del self._gone[name]

    def erase(self, names: Collection[str]) -> int:
        """Cuts out all lines of these mentions and authors (``source:id``); returns how many.

        Raises TryLater.
        """
        cut = 0
        with self._guard, _Disk(self._folder):
            now = time.monotonic()
            for name in names:
                self._gone.pop(name, None)  # it stands last again
                self._gone[name] = now
            self._forget_old(now)
            for path in self.files() if names else ():
                data = path.read_bytes()
                if not _may_concern(data, names):
                    continue
                lines = data.splitlines(keepends=True)
                kept = [line for line in lines if not _concerns(line, names)]
                if len(kept) < len(lines):
                    cut += len(lines) - len(kept)
                    write_whole(path, b"".join(kept))
        return cut

    def prune(self, now: datetime) -> int:
        """Drops files that are too old, then the oldest while all are too large; how many went."""
        gone = 0
        with self._guard, _Disk(self._folder):
            oldest = (now - self._keep).strftime("%Y%m%dT%H")
            files = self.files()
            size = sum(path.stat().st_size for path in files)
            for path in files:
                if path.name[: len(oldest)] >= oldest and size <= self._most:
                    continue
                size -= path.stat().st_size
                path.unlink()
                gone += 1
        return gone

    def files(self) -> list[Path]:
        """The files there are, oldest first."""
        return sorted(self._folder.glob(f"*{_SUFFIX}"))


def of_settings(known: Settings) -> Recording | None:
    """The recording that the settings name; None without one."""
    told = known.recording
    if told.dir is None:
        return None
    return Recording(
        told.dir,
        keep=timedelta(hours=told.hours),
        most_bytes=round(told.most_mb * 1_048_576),
        forgotten=forgotten.of_settings(known),
    )


class _Disk:
    """Troubles of a disk in our words."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, PermissionError | NotADirectoryError | FileExistsError):
            told = f"{self._folder} cannot be written: mend [recording] dir ({error.strerror})"
            raise GiveUp(told) from error
        if isinstance(error, OSError):
            raise TryLater(f"{self._folder}: {error.strerror}") from error


def _opened(path: Path, flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)


def write_whole(path: Path, data: bytes) -> None:
    """Replaces a file at once: a crash leaves the old one or the new one."""
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(_opened(draft, os.O_TRUNC), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _may_concern(data: bytes, names: Collection[str]) -> bool:
    """A quick look before lines are read one by one; False is certain."""
    for name in names:
        number = name.partition(":")[2]
        # JSON may write others in several ways.
        if not _PLAIN.fullmatch(number) or number.encode() in data:
            return True
    return False


def _concerns(line: bytes, names: Collection[str]) -> bool:
    """Whether a line tells of one of these. What cannot be read concerns everybody."""
    try:
        word = load(line)
    except SetAside:
        return True
    return isinstance(word, dict) and any(name in names for name in _named(word))


def _named(word: Mapping[str, Any]) -> Iterable[str]:
    """Every id under which something may be erased that a line names."""
    source, author = word.get("source"), word.get("author")
    yield f"{source}:{word.get('external_id')}"
    if isinstance(author, dict):
        yield f"{source}:{author.get('id')}"
    for field in ("removal", "subject"):
        yield str(word.get(field))


def line_of(value: bytes) -> bytes:
    """A record as one line of JSON. Raises SetAside for what is none."""
    word = load(value)
    if b"\n" not in value and b"\r" not in value:
        return value
    try:
        return orjson.dumps(word)
    except TypeError as error:  # nested deeper than it writes
        raise SetAside("it cannot be written as one line of JSON") from error
