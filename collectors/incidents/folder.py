"""A folder that is watched: incidents as JSON, JSON lines or YAML, dropped there by any program.

A file is read when it has not changed from one look to the next, so that one that is still being
written is left alone; best is to write it under a name that begins with a dot and to rename it. A
file tells incidents as the words have them (docs/schemas/incident.json), one, a list, or one a
line. Each telling is a piece: what one file says of an incident and another one does not stays.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import Field

from collectors.incidents.kit.pieces import ORDER, TOLD, Ledger
from collectors.incidents.kit.tool import House, ToolSettings
from collectors.kit.times import LONGEST_WAIT, from_us, to_us
from collectors.kit.unreadable import unreadable
from pipeline.decoding import check, load
from pipeline.errors import SetAside, TryLater
from pipeline.model import Coverage, Incident, StatusAt
from pipeline.ports import Clock, Item, Unreadable

#: Bytes of a file, files in a folder, incidents in a file: more is a mistake.
MOST_BYTES: Final = 16 * 1_048_576
MOST_FILES: Final = 2_000
MOST_INCIDENTS: Final = 10_000
KINDS: Final = (".json", ".jsonl", ".ndjson", ".yaml", ".yml")
COVERAGE_EVERY: Final = timedelta(minutes=1)

#: What tells one content of a file from the next: when it changed, its size, which file it is.
_Stamp = tuple[int, int, int]


class FolderSettings(ToolSettings):
    """A folder with files of incidents."""

    path: Path = Field(description="The folder; files in it end in .json, .jsonl, .yaml or .yml.")
    poll_seconds: float = Field(2, ge=0.5, description="How often it is looked at.")


class Folder:
    """The incidents in a folder's files. Raises TryLater while the folder cannot be read.

    ``totals`` counts files that were ``read``.
    """

    def __init__(
        self, name: str, clock: Clock, *, path: Path, poll_seconds: float = 2, **given: Any
    ) -> None:
        self.name = name
        self.totals: Counter[str] = Counter()
        self._clock = clock
        self._path = path
        self._every = timedelta(seconds=poll_seconds)
        self._house = House.of("folder", given)
        self._ledger = Ledger()
        self._read: dict[str, _Stamp] = {}
        self._since = 0

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. Without a cursor: all that lies there."""
        self._recall(cursor)
        told = self._clock.now()
        seen: dict[str, _Stamp] = {}
        while not stop.is_set():
            found = self._stamps()
            for name in sorted(found):
                if found[name] == seen.get(name) and found[name] != self._read.get(name):
                    yield from self._file(name, found[name])
            seen = found
            gone = [name for name in self._read if name not in found]
            for name in gone:
                del self._read[name]
            now = self._clock.now()
            if now - told >= COVERAGE_EVERY:
                told = now
                span = {"from_at": from_us(self._since), "to_at": now}
                yield Item(Coverage(source=self.name, **span), self._cursor())
            due = now + self._every
            while not stop.is_set() and (left := (due - self._clock.now()).total_seconds()) > 0:
                yield Item(None, self._cursor())
                self._clock.wait(min(left, LONGEST_WAIT), stop)

    def _stamps(self) -> dict[str, _Stamp]:
        """The files that are there. Raises TryLater."""
        found: dict[str, _Stamp] = {}
        try:
            for path in self._path.iterdir():
                if path.suffix.casefold() in KINDS and not path.name.startswith("."):
                    told = path.stat()
                    found[path.name] = (told.st_mtime_ns, told.st_size, told.st_ino)
        except FileNotFoundError as error:
            if not self._path.is_dir():  # otherwise only a file went while we looked
                raise TryLater(f"{self.name}: there is no folder {self._path}") from error
        except OSError as error:
            raise TryLater(f"{self.name}: cannot read {self._path}: {error.strerror}") from error
        if len(found) > MOST_FILES:
            raise TryLater(f"{self.name}: more than {MOST_FILES:,} files in {self._path}")
        return found

    def _file(self, name: str, stamp: _Stamp) -> Iterator[Item]:
        """What a file tells; the cursor says that it was read when all of it is delivered."""
        try:
            if stamp[1] > MOST_BYTES:
                raise SetAside(f"a file of more than {MOST_BYTES:,} bytes")
            data = (self._path / name).read_bytes()
        except OSError:
            return  # it went while we looked, or comes back readable
        except SetAside as reason:
            self._read[name] = stamp
            yield Item(Unreadable(b"", str(reason), name), self._cursor())
            return
        # One by one: a cursor must not know of what is not delivered yet.
        for value in self._values(name, data):
            yield Item(value, self._cursor())
        self._read[name] = stamp
        self.totals["read"] += 1
        yield Item(None, self._cursor())

    def _values(self, name: str, data: bytes) -> Iterator[Incident | Unreadable]:
        try:
            documents = list(_documents(Path(name).suffix.casefold(), data))
        except SetAside as reason:
            yield unreadable(data, reason, name)
            return
        for number, told in enumerate(documents[:MOST_INCIDENTS], 1):
            value: Incident | Unreadable | None
            try:
                value = self._told(load(told) if isinstance(told, bytes) else told)
            except SetAside as reason:
                value = unreadable(told, reason, f"{name} number {number}")
            if value is not None:
                yield value

    def _told(self, told: Any) -> Incident | None:
        """The incident that a document adds to, if it says anything new. Raises SetAside."""
        if not isinstance(told, dict):
            raise SetAside("an incident is an object, this is not")
        number = str(told.get("id") or "")
        given = {**told, "id": number if ":" in number else self._house.id(number)}
        whole = check(Incident, given)
        fields = {**whole.__dict__}
        if not given.get("history"):
            # What the model makes of a record alone, other files may tell otherwise.
            opened = whole.history[:1] if given.get("opened_at") else ()
            now = StatusAt(at=whole.at, status=whole.status)
            fields["history"] = (*opened, *_said(whole), now)
        names = {"id", "at", "history", *(TOLD & set(given))}
        values = self._ledger.fold(Incident.unchecked(fields, names))
        return None if values is None else self._house.incident(values)

    def _cursor(self) -> str:
        told = {"since": self._since, "read": self._read, "ledger": self._ledger.state}
        return orjson.dumps(told).decode()

    def _recall(self, cursor: str | None) -> None:
        self._ledger, self._read = Ledger(), {}
        self._since = to_us(self._clock.now())
        if cursor is None:
            return
        try:
            told: Mapping[str, Any] = orjson.loads(cursor)
            ledger = Ledger()
            ledger.recall(told["ledger"])
            read = {str(name): _stamp(stamp) for name, stamp in told["read"].items()}
            since = int(told["since"])
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # all files are read again, which says nothing that was not said
        self._ledger, self._read, self._since = ledger, read, min(since, self._since)


def _said(whole: Incident) -> Iterator[StatusAt]:
    """The changes of status that its updates tell of."""
    for update in whole.updates:
        if update.status in ORDER:
            told = {"at": update.display_at, "status": update.status}
            yield StatusAt.model_validate(told)


def _stamp(told: Any) -> _Stamp:
    changed, size, number = told
    return int(changed), int(size), int(number)


def _documents(kind: str, data: bytes) -> Iterator[Any]:
    """The documents in a file: bytes of JSON for each line, or what was decoded. SetAside."""
    if kind in {".jsonl", ".ndjson"}:
        yield from (line for line in data.splitlines() if line.strip())
        return
    told = load(data) if kind == ".json" else _yaml(data)
    yield from told if isinstance(told, list) else [told]


def _yaml(data: bytes) -> Any:
    """A document of YAML, without references: a few of them can stand for gigabytes."""
    try:
        import yaml
    except ImportError as error:
        raise SetAside("YAML wants the extra `yaml`: pip install 'groundswell[yaml]'") from error

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, yaml.SafeLoader)):
            raise SetAside("YAML with references (*name) is not read")
        return yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SetAside("no YAML") from error
