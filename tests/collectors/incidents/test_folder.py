"""A watched folder: what is dropped there, as a whole and once."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.incidents.folder import Folder
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Coverage, Incident
from pipeline.ports import Item, Unreadable
from tests.contracts.collector import CollectorContract, OpenSource

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def told(number: str = "7", minute: int = 0, status: str = "investigating", **more: Any) -> Any:
    at = (START + timedelta(minutes=minute)).isoformat()
    return {"id": f"ops:{number}", "title": "Checkout fails", "status": status, "at": at} | more


class Reader:
    """Reads a folder some seconds of its clock at a time."""

    def __init__(self, path: Path, cursor: str | None = None, **more: Any) -> None:
        self.clock = ManualClock(START)
        self.folder = Folder("ops", self.clock, path=path, **more)
        self.cursor = cursor
        self._stop = threading.Event()
        self._items = self.folder.items(cursor, self._stop)

    def read(self, seconds: float = 5) -> list[Any]:
        """What comes in so many seconds, coverage left out."""
        due, came = self.clock.now() + timedelta(seconds=seconds), list[Item]()
        while self.clock.now() < due:
            came.append(next(self._items))
        self.cursor = came[-1].cursor
        values = [item.value for item in came if item.value is not None]
        return [value for value in values if not isinstance(value, Coverage)]


class TestContract(CollectorContract):
    """A folder keeps the contract of collectors."""

    kind = "folder"

    @pytest.fixture
    def open_source(self, tmp_path: Path) -> OpenSource:
        (tmp_path / "a.json").write_text(json.dumps(told("1")))
        (tmp_path / "b.jsonl").write_text("\n".join(json.dumps(told(n)) for n in "23"))
        (tmp_path / "c.yaml").write_text(json.dumps([told("4"), "no incident"]))
        return lambda: Folder("ops", ManualClock(START), path=tmp_path)

    @pytest.fixture
    def words(self) -> int:
        return 5


def test_what_several_files_say_of_an_incident_adds_up(tmp_path: Path) -> None:
    """Its history and updates are complete in whatever order they are dropped."""
    said = {"body": "The cache is full.", "display_at": (START + timedelta(minutes=3)).isoformat()}
    files = [
        told(minute=0),
        told(minute=4, status="identified", updates=[said]),
        told(minute=9, status="resolved", url="https://ops.example/7"),
    ]
    last = []
    for order in ((0, 1, 2), (2, 0, 1)):
        folder = tmp_path / "-".join(map(str, order))
        folder.mkdir()
        reader, came = Reader(folder), list[Any]()
        for number in order:
            (folder / f"{number}.json").write_text(json.dumps(files[number]))
            came += reader.read()
        assert [one.version for one in came] == sorted({one.version for one in came})
        last.append(came[-1].model_dump(exclude={"version"}))
    assert last[0] == last[1]
    assert [step["status"] for step in last[0]["history"]] == [
        "investigating", "identified", "resolved",
    ]  # fmt: skip


def test_opened_at_is_the_first_step(tmp_path: Path) -> None:
    """Of an incident that its file tells without a history, when all is over."""
    opened = START + timedelta(minutes=4)
    times = {"started_at": START.isoformat(), "opened_at": opened.isoformat()}
    (tmp_path / "a.json").write_text(json.dumps(told(minute=9, status="resolved", **times)))
    [incident] = Reader(tmp_path).read()
    assert (incident.started_at, incident.opened_at) == (START, opened)
    assert [step.status for step in incident.history] == ["investigating", "resolved"]


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    """Until it has not changed from one look to the next."""
    reader, path = Reader(tmp_path), tmp_path / "a.json"
    whole = json.dumps(told())
    reader.read(1)
    for size in (10, 20, 40, len(whole)):
        path.write_text(whole[:size])
        assert reader.read(2) == []
    [one] = reader.read()
    assert isinstance(one, Incident)
    assert reader.read() == []


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    """What is written under a hidden name and renamed is read as it stands then."""
    reader = Reader(tmp_path)
    for minute, status in ((0, "investigating"), (5, "resolved")):
        hidden = tmp_path / ".a.json.new"
        hidden.write_text(json.dumps(told(minute=minute, status=status)))
        assert reader.read() == []
        hidden.replace(tmp_path / "a.json")
        [one] = reader.read()
        assert one.status == status


def test_a_restart_reads_nothing_twice(tmp_path: Path) -> None:
    """What was read stands in the cursor; a touched file says nothing new."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(told()))
    first = Reader(tmp_path)
    assert len(first.read()) == 1
    path.write_text(json.dumps(told()))
    again = Reader(tmp_path, first.cursor)
    assert again.read() == []
    path.unlink()
    assert again.read() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{bad"),
        ("a.yaml", "a: [1, 2"),
        ("a.yaml", "a: &x [1, 2]\nb: [*x, *x]"),
        ("a.yaml", "!!python/object/apply:os.system [ls]"),
        ("a.json", '{"id": "ops:1"}'),
        ("a.jsonl", "[]"),
        ("a.json", '"text"'),
    ],
)
def test_what_is_no_incident_is_set_aside(tmp_path: Path, name: str, text: str) -> None:
    """Once, with its bytes."""
    (tmp_path / name).write_text(text)
    reader = Reader(tmp_path)
    [letter] = reader.read()
    assert isinstance(letter, Unreadable)
    assert letter.data
    assert Reader(tmp_path, reader.cursor).read() == []


def test_yaml_as_people_write_it(tmp_path: Path) -> None:
    """Times without quotes, an id without a provider; our names for its components."""
    (tmp_path / "a.yml").write_text(
        "id: checkout-1\ntitle: Checkout fails\nstatus: identified\n"
        "started_at: 2026-03-02T08:50:00Z\nat: 2026-03-02 09:00:00\n"
        "components:\n- name: Web shop (Oslo)\n"
    )
    maps: Any = {"component_map": {"web shop (oslo)": "Checkout"}, "region_map": {"oslo": "Norway"}}
    [one] = Reader(tmp_path, None, tracks=("acme",), **maps).read()
    assert (one.id, one.tracks, one.regions) == ("folder:checkout-1", ("acme",), ("Norway",))
    assert [component.name for component in one.components] == ["Checkout"]
    assert one.started_at == START - timedelta(minutes=10)


def test_other_files_are_not_read(tmp_path: Path) -> None:
    """Neither hidden ones nor those of other kinds."""
    for name in (".a.json", "a.txt", "a.json~", "a.json.part"):
        (tmp_path / name).write_text(json.dumps(told()))
    assert Reader(tmp_path).read() == []


def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """It may be on a disk that comes later."""
    with pytest.raises(TryLater, match="no folder"):
        Reader(tmp_path / "later").read()


def test_the_ledger_says_that_it_was_read(tmp_path: Path) -> None:
    """From the first start on, for files wait."""
    clock = ManualClock(START)
    folder = Folder("ops", clock, path=tmp_path)
    items = folder.items(None, threading.Event())
    word: Callable[[], Any] = lambda: next(items).value  # noqa: E731
    found = next(value for value in iter(word, "never") if isinstance(value, Coverage))
    assert (found.from_at, found.is_gap) == (START, False)
    assert found.to_at >= START + timedelta(minutes=1)
