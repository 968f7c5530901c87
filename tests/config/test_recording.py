"""Recordings: what comes is kept, plays again, ends in time, and forgets what is erased."""

import json
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.recorded import Recorded
from config import cli, recorder
from config.crew import Crew
from config.erasing import erase
from config.forgotten import Forgotten
from config.recorder import Recorder
from config.recording import GONE_SECONDS, Recording
from config.settings import load
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp
from pipeline.intake import Intake
from pipeline.model import Decision, Incident, Mention, Removal
from pipeline.ports import Item
from pipeline.topics import DECISIONS, INCIDENTS, MENTIONS, TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse
from sinks.keys import Keys
from sinks.ledger import Ledger
from sinks.removals import requests
from tests.collectors.files import all_items

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def broker(tmp_path: Path, clock: ManualClock) -> Iterator[LocalBroker]:
    with closing(LocalBroker(tmp_path / "b.broker", clock)) as made:
        made.ensure(TOPICS)
        yield made


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ERASE_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "PRUNE_SECONDS", 0.0)


def recording(tmp_path: Path, **more: Any) -> Recording:
    bounds: dict[str, Any] = {"keep": timedelta(days=7), "most_bytes": 10_000_000} | more
    return Recording(tmp_path / "kept", **bounds)


def post(number: int, **more: Any) -> Mention:
    told = {"source": "x", "external_id": str(number), "text": f"a secret word {number}"}
    return Mention.model_validate(
        told | {"said_at": START, "author": {"id": f"a{number}", "handle": "kim"}} | more
    )


def send(broker: LocalBroker, topic: str, *words: Any) -> None:
    with closing(broker.producer()) as producer:
        for word in words:
            producer.send(topic, word.key, word.to_json())
        producer.flush()


def run(broker: LocalBroker, kept: Recording, clock: ManualClock) -> Recorder:
    with closing(Recorder(broker, kept, clock)) as role:
        while role.turn(0):
            pass
        role.turn(0)
    return role


def text_of(kept: Recording) -> str:
    return "".join(path.read_text() for path in kept.files())


def test_what_was_recorded_plays_again(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock
) -> None:
    """Posts, removals and decisions as they were; incidents in files of their own."""
    words = [
        post(1),
        post(2, text="two\nlines"),
        Removal(removal="x:2", kind="hidden", at=START),
        Removal(removal="x:2", kind="shown", at=START + timedelta(seconds=1)),
    ]
    decision = Decision(
        id="d", subject="x:1", verb="relabel", value="intent=report", by="kim", at=START
    )
    broken = Incident(id="s:1", title="t", status="investigating", at=START)
    send(broker, MENTIONS, *words)
    send(broker, DECISIONS, decision)
    send(broker, INCIDENTS, broken)
    run(broker, kept := recording(tmp_path), clock)
    posts = [path for path in kept.files() if "posts" in path.name]
    played = [item.value for item in all_items(Recorded("r", posts, clock))]
    assert [w for w in played if not isinstance(w, Decision)] == words
    assert decision in played
    [file] = [path for path in kept.files() if "incidents" in path.name]
    assert file.name == "20260302T09-incidents.jsonl"
    assert json.loads(file.read_text())["id"] == "s:1"


@pytest.mark.parametrize("bad", [b"{bad\n", b"{bad", b"[" * 600 + b"\n" + b"]" * 600])
def test_what_cannot_be_read_is_passed_over(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock, bad: bytes
) -> None:
    """It becomes a dead letter elsewhere; here the others are kept and the role lives on."""
    with closing(broker.producer()) as producer:
        producer.send(MENTIONS, "bad", bad)
        producer.flush()
    send(broker, MENTIONS, post(1), post(2))
    role = run(broker, kept := recording(tmp_path), clock)
    assert text_of(kept).count("a secret word") == len(text_of(kept).splitlines()) == 2
    assert role.totals["unreadable"] == 1
    assert kept.recorded_to == START
    send(broker, MENTIONS, Removal(removal="x:2", kind="erased", at=START))
    run(broker, kept, clock)
    assert "secret word 1" in text_of(kept)


def test_only_its_owner_may_read_it(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock
) -> None:
    """It holds texts and handles."""
    send(broker, MENTIONS, post(1))
    run(broker, kept := recording(tmp_path), clock)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert kept.recorded_to == START


def test_it_goes_on_where_it_was(tmp_path: Path, broker: LocalBroker, clock: ManualClock) -> None:
    """After a restart nothing is missing; a line may stand twice."""
    kept = recording(tmp_path)
    send(broker, MENTIONS, post(1))
    run(broker, kept, clock)
    clock.set(START + timedelta(hours=2))
    send(broker, MENTIONS, post(2))
    run(broker, kept, clock)
    ids = [json.loads(line)["external_id"] for line in text_of(kept).splitlines()]
    assert set(ids) == {"1", "2"}
    assert len(kept.files()) == 2
    run(broker, kept, clock)
    assert {json.loads(line)["external_id"] for line in text_of(kept).splitlines()} == {"1", "2"}


@pytest.mark.parametrize("scope", ["mention", "author"])
def test_what_is_erased_leaves_it(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock, scope: str
) -> None:
    """A mention or all of an author's, with what people said of it; the others stay."""
    kept = recording(tmp_path)
    send(broker, MENTIONS, post(1), post(2))
    run(broker, kept, clock)
    name = "x:1" if scope == "mention" else "x:a1"
    send(broker, MENTIONS, Removal(removal=name, kind="erased", at=START, scope=scope))
    run(broker, kept, clock)
    assert "secret word 2" in text_of(kept)
    folder = b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    assert b"secret word 1" not in folder
    assert b"a1" not in folder


def test_a_tombstone_erases(tmp_path: Path, broker: LocalBroker, clock: ManualClock) -> None:
    """That is how the store tells of what an author's removal took away."""
    kept = recording(tmp_path)
    send(broker, MENTIONS, post(1), post(2))
    run(broker, kept, clock)
    with closing(broker.producer()) as producer:
        producer.send(MENTIONS, "x:1", None)
        producer.flush()
    run(broker, kept, clock)
    assert "secret word 1" not in text_of(kept)
    assert "secret word 2" in text_of(kept)


def test_a_crash_before_erasing_does_not_forget_it(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits to be erased is found on the topic again."""
    kept = recording(tmp_path)
    send(broker, MENTIONS, post(1))
    run(broker, kept, clock)
    clock.set(START + timedelta(seconds=1))
    monkeypatch.setattr(recorder, "ERASE_SECONDS", 600.0)
    send(broker, MENTIONS, Removal(removal="x:1", kind="erased", at=START))
    killed = Recorder(broker, kept, clock)
    killed.turn(0)
    assert "secret word 1" in text_of(kept)
    run(broker, recording(tmp_path), clock)
    assert "secret word 1" not in text_of(kept)


def test_forgetting_reaches_it_at_once(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock
) -> None:
    """`groundswell forget` and the page say how many lines went; what was on its way stays out."""
    kept = recording(tmp_path)
    send(broker, MENTIONS, post(1))
    run(broker, kept, clock)
    with closing(DuckDBWarehouse(tmp_path / "w.duckdb")) as warehouse:
        receipt = erase(
            warehouse, broker, [Removal(removal="x:1", kind="erased", at=START)], clock, kept
        )
    assert receipt["recorded_lines"] == 1
    kept.append([("posts", 1_772_442_000_000, post(1).to_json())], None)
    assert "secret word 1" not in text_of(kept)


@pytest.mark.parametrize("number", ["7", "at://a/b", 'quo"te', "ünï", "back\\slash", "a\nb"])
def test_any_id_is_found(tmp_path: Path, number: str) -> None:
    """However JSON writes it."""
    kept = recording(tmp_path)
    ours = post(1).model_copy(update={"external_id": number})
    kept.append([("posts", 0, ours.to_json()), ("posts", 0, post(2).to_json())], 0)
    assert kept.erase({ours.id}) == 1
    assert "secret word 2" in text_of(kept)
    assert kept.erase({"x:nobody"}) == 0


def test_old_files_go(tmp_path: Path, broker: LocalBroker, clock: ManualClock) -> None:
    """By time, and by the size of all."""
    kept = recording(tmp_path, keep=timedelta(hours=5))
    for hour in range(8):
        clock.set(START + timedelta(hours=hour))
        send(broker, MENTIONS, post(hour))
        run(broker, kept, clock)
    assert [path.name[9:11] for path in kept.files()] == ["11", "12", "13", "14", "15", "16"]
    size = kept.files()[0].stat().st_size
    recording(tmp_path, most_bytes=3 * size).prune(clock.now())
    assert [path.name[9:11] for path in kept.files()] == ["14", "15", "16"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the setting to mend."""
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(GiveUp, match=r"\[recording\] dir"):
        recording(tmp_path).append([("posts", 0, b"{}")], 0)


def test_the_command_records_every_source_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without Kafka it reads the sources itself; private numbers are masked."""
    monkeypatch.chdir(tmp_path)
    line = {
        "source": "x",
        "external_id": "1",
        "text": "call +44 20 7946 0958",
        "said_at": "2026-03-02",
    }
    Path("posts.jsonl").write_text(json.dumps(line))
    Path("groundswell.toml").write_text('[[source]]\ntype = "recorded"\npaths = ["posts.jsonl"]\n')
    assert cli.main(["record", "kept"]) == 0
    [file] = Path("kept").glob("*-posts.jsonl")
    assert "7946" not in file.read_text()
    assert "1 lines in kept" in capsys.readouterr().err
    assert cli.main(["replay", str(file), "--warehouse", "w.duckdb"]) == 0
    assert cli.main(["record"]) == 2


def test_the_next_run_goes_on_where_the_last_one_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cursors hold what was spent, too: a run does not get the money of the day once more."""
    monkeypatch.chdir(tmp_path)
    line = {"source": "x", "external_id": "1", "text": "slow", "said_at": "2026-03-02"}
    Path("posts.jsonl").write_text(json.dumps(line) + "\n")
    Path("groundswell.toml").write_text('[[source]]\ntype = "recorded"\npaths = ["posts.jsonl"]\n')
    assert cli.main(["record", "kept"]) == 0
    assert cli.main(["record", "kept"]) == 0
    assert "0 lines in kept" in capsys.readouterr().err
    assert (Path("kept") / "cursors").stat().st_mode & 0o077 == 0
    (Path("kept") / "cursors").write_text("nonsense")
    assert cli.main(["record", "kept"]) == 0
    assert "1 lines in kept" in capsys.readouterr().err


@pytest.mark.parametrize("named", [["--mention", "x:1"], ["--author", "x:a1"]])
def test_what_was_forgotten_is_not_recorded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str]
) -> None:
    """The file of the source still holds it; the ledger beside the warehouse says so."""
    monkeypatch.chdir(tmp_path)
    lines = b"".join(post(number).to_json() + b"\n" for number in (1, 2))
    Path("posts.jsonl").write_bytes(lines)
    Path("groundswell.toml").write_text('[[source]]\ntype = "recorded"\npaths = ["posts.jsonl"]\n')
    warehouse = str(load(None).warehouse.path)
    assert cli.main(["replay", "posts.jsonl", "--warehouse", warehouse]) == 0
    assert cli.main(["forget", *named]) == 0
    assert cli.main(["record", "kept"]) == 0
    [file] = Path("kept").glob("*-posts.jsonl")
    assert "secret word 1" not in file.read_text()
    assert "secret word 2" in file.read_text()
    Path(f"{warehouse}.key").rename("elsewhere.key")
    assert cli.main(["record", "again"]) == 1
    assert not list(Path("again").glob("*.jsonl"))


def test_what_was_erased_is_remembered_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While lines of it may be on their way; years of erasures must not fill the memory."""
    kept = recording(tmp_path)
    now = 1_000_000.0
    monkeypatch.setattr("config.recording.time.monotonic", lambda: now)
    line = ("posts", int(START.timestamp() * 1000), post(1).to_json())
    kept.erase(["x:1"])
    kept.append([line], None)
    assert text_of(kept) == ""
    monkeypatch.setattr("config.recording.MOST_GONE", 1_000)
    for batch in range(30):
        kept.erase([f"x:{batch}-{n}" for n in range(100)])
    assert len(kept._gone) == 1_000
    now += GONE_SECONDS
    kept.append([line], None)
    assert len(kept._gone) == 0
    assert "a secret word 1" in text_of(kept)


def test_a_recorder_that_gives_up_stops_alone(
    tmp_path: Path, broker: LocalBroker, clock: ManualClock
) -> None:
    """Who listens at night is not to be deaf because a folder of recordings was closed."""
    (tmp_path / "kept").write_text("a file stands here")
    send(broker, MENTIONS, post(1))
    crew = Crew(clock)
    recorder = Recorder(broker, recording(tmp_path), clock)
    crew.run({"recorder": recorder, "intake": Intake(Quiet(), broker, None, clock)})
    deadline = time.monotonic() + 20
    while "recorder" not in crew.troubles:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not crew.stop.is_set()
    crew.check()
    assert "recorder has stopped: " in crew.notice()
    assert "mend [recording] dir" in crew.notice()
    crew.join()


class Quiet:
    """A source that has nothing to say."""

    name = "quiet"

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        while not stop.is_set():
            yield Item(None, "here")


def test_later_posts_of_a_forgotten_author_are_recorded(tmp_path: Path) -> None:
    """An author is forgotten up to a time, as in the warehouse."""
    (tmp_path / "w.key").write_bytes(b"k" * 32)
    forgotten = Forgotten(tmp_path / "w.erased", tmp_path / "w.key")
    assert not forgotten.holds(post(1).to_json())
    removal = Removal(removal="x:a1", kind="erased", at=START, scope="author")
    Ledger(tmp_path / "w.erased").append(requests([removal], Keys(b"k" * 32)))
    later = {"said_at": START + timedelta(days=1), "event_at": START + timedelta(days=1)}
    assert forgotten.holds(post(1).to_json())
    assert not forgotten.holds(post(1, **later).to_json())
    assert not forgotten.holds(post(2).to_json())
    assert forgotten.holds(removal.to_json())
    assert not forgotten.holds(b"[]")
