"""The local broker passes the contract of all brokers, and keeps its own promises."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import topics
from pipeline.brokers import keys
from pipeline.brokers.leases import LEASE_SECONDS
from pipeline.brokers.local import LocalBroker
from pipeline.brokers.members import LOOK_AROUND_SECONDS
from pipeline.clock import ManualClock
from pipeline.deadletters import letter
from pipeline.errors import Fenced, GiveUp, TryLater
from pipeline.ports import Broker, Topic
from pipeline.values import to_ms
from tests.contracts.broker import BrokerContract, MakeBroker, produce, take, values

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
PLAIN = Topic("plain", retention_hours=48)
KEYED = Topic("keyed", compacted=True, retention_hours=72)
MakeLocal = Callable[..., LocalBroker]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "groundswell.broker"


@pytest.fixture
def make(path: Path) -> Iterator[MakeLocal]:
    """Opens the same file as often as wanted and closes all in the end."""
    opened: list[LocalBroker] = []

    def open_broker(clock: ManualClock | None = None, **options: object) -> LocalBroker:
        broker = LocalBroker(path, clock, **options)  # type: ignore[arg-type]
        broker.ensure([PLAIN, KEYED])
        opened.append(broker)
        return broker

    yield open_broker
    for broker in opened:
        broker.close()


def bytes_on_disk(path: Path) -> bytes:
    """Everything that stands in the file and its write-ahead log."""
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


class TestContract(BrokerContract):
    """The suite on a file of its own."""

    @pytest.fixture
    def make_broker(self, path: Path) -> MakeBroker:
        def open_broker() -> Broker:
            return LocalBroker(path)

        return open_broker


# ---- the place of a group ---------------------------------------------------------------------


def test_only_one_member_is_active(make: MakeLocal) -> None:
    """A second worker stands in: it gets nothing while the first lives."""
    broker = make()
    produce(broker, "plain", ("a", b"1"), ("b", b"2"))
    active, stand_in = broker.consumer("g", ["plain"]), broker.consumer("g", ["plain"])

    assert len(active.poll(1, 0)) == 1
    assert stand_in.poll(10, 0) == []
    active.commit()
    assert len(active.poll(10, 0)) == 1


def test_a_member_that_hangs_loses_its_place(make: MakeLocal) -> None:
    """When the lease ran out another takes over; the late commit is refused, not half done."""
    wall = ManualClock(NOON)
    broker = make(lease_clock=wall)
    produce(broker, "plain", ("a", b"1"))
    hanging, other = broker.consumer("g", ["plain"]), broker.consumer("g", ["plain"])
    assert len(hanging.poll(10, 0)) == 1

    wall.set(NOON + timedelta(seconds=LEASE_SECONDS + 1))
    assert values(other.poll(10, 0)) == {"a": [b"1"]}

    with pytest.raises(Fenced):
        hanging.commit()
    other.commit()
    assert broker.lag("g") == {"plain": 0}


def test_a_fenced_member_learns_it_from_the_next_poll(make: MakeLocal) -> None:
    """Who polls on without a commit is told that what it holds is not its own any more."""
    wall = ManualClock(NOON)
    broker = make(lease_clock=wall)
    produce(broker, "plain", ("a", b"1"), ("b", b"2"))
    hanging, other = broker.consumer("g", ["plain"]), broker.consumer("g", ["plain"])
    hanging.poll(1, 0)
    wall.set(NOON + timedelta(seconds=LEASE_SECONDS + 1))
    other.poll(10, 0)

    with pytest.raises(Fenced):
        hanging.poll(1, 0)

    assert hanging.poll(1, 0) == []  # a stand-in from now on


def test_a_late_commit_counts_if_nobody_took_over(make: MakeLocal) -> None:
    """A slow batch is not thrown away for nothing."""
    wall = ManualClock(NOON)
    broker = make(lease_clock=wall)
    produce(broker, "plain", ("a", b"1"))
    slow = broker.consumer("g", ["plain"])
    slow.poll(10, 0)
    wall.set(NOON + timedelta(hours=1))

    slow.commit()

    assert broker.lag("g") == {"plain": 0}


def test_an_idle_member_keeps_its_place(make: MakeLocal) -> None:
    """Polling renews the lease, records or not."""
    wall = ManualClock(NOON)
    broker = make(lease_clock=wall)
    idle, other = broker.consumer("g", ["plain"]), broker.consumer("g", ["plain"])
    for minute in range(0, 120, 15):
        wall.set(NOON + timedelta(seconds=minute))
        idle.poll(1, 0)
        assert other.poll(1, 0) == []
    produce(broker, "plain", ("a", b"1"))

    assert len(idle.poll(1, 0)) == 1


def test_the_place_of_a_dead_process_is_free_at_once(path: Path, make: MakeLocal) -> None:
    """After kill -9 a restart does not wait for the lease to run out."""
    produce(make(), "plain", ("a", b"1"))
    child = subprocess.run(
        [sys.executable, "-c", _POLL_AND_DIE, str(path)], capture_output=True, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr

    assert values(make().consumer("g", ["plain"]).poll(10, 0)) == {"a": [b"1"]}


_POLL_AND_DIE = """
import os, signal, sys
from pathlib import Path
from pipeline.brokers.local import LocalBroker
assert len(LocalBroker(Path(sys.argv[1])).consumer("g", ["plain"]).poll(10, 0)) == 1
os.kill(os.getpid(), signal.SIGKILL)
"""


# ---- waking -----------------------------------------------------------------------------------


def test_a_waiting_member_is_woken_by_a_flush(make: MakeLocal) -> None:
    """A record arrives long before the next look around, and long before the timeout."""
    broker = make()
    consumer = broker.consumer("g", ["plain"])
    assert consumer.poll(1, 0) == []
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(len(consumer.poll(1, 60))))
    waiting.start()
    produce(broker, "plain", ("a", b"1"))

    waiting.join(30)

    assert found == [1]


def test_what_another_process_wrote_is_seen_within_the_look_around(make: MakeLocal) -> None:
    """Two programs on one file need no message between them."""
    ours, theirs = make(), make()  # two brokers share no condition, like two processes
    consumer = ours.consumer("g", ["plain"])
    assert consumer.poll(1, 0) == []
    produce(theirs, "plain", ("a", b"1"))

    assert len(consumer.poll(1, 30 * LOOK_AROUND_SECONDS)) == 1


def test_waiting_costs_no_processor_time(make: MakeLocal) -> None:
    """An idle consumer sleeps: two seconds of waiting cost far less than a tenth of a core."""
    consumer = make().consumer("g", ["plain", "keyed"])
    consumer.poll(1, 0)
    before = time.thread_time()

    consumer.poll(1, 2.0)

    assert time.thread_time() - before < 0.1


# ---- back-pressure ----------------------------------------------------------------------------


def test_a_producer_waits_for_the_slowest_group(make: MakeLocal) -> None:
    """Beyond the allowed lag a flush fails and writes nothing; after a commit it goes on."""
    broker = make(max_lag=10, patience=0.05)
    slow = broker.consumer("slow", ["plain"])
    produce(broker, "plain", *[(f"k{i}", b"v") for i in range(11)])

    with pytest.raises(TryLater, match="plain"):
        produce(broker, "plain", ("one more", b"v"))
    assert broker.count("plain") == 11
    slow.poll(100, 0)
    slow.commit()

    produce(broker, "plain", ("one more", b"v"))
    assert broker.count("plain") == 12


def test_a_waiting_producer_goes_on_as_soon_as_there_is_room(make: MakeLocal) -> None:
    """The wait ends with the commit that makes room."""
    broker = make(max_lag=10, patience=60)
    slow = broker.consumer("slow", ["plain"])
    produce(broker, "plain", *[(f"k{i}", b"v") for i in range(11)])
    waiting = threading.Thread(target=lambda: produce(broker, "plain", ("one more", b"v")))
    waiting.start()
    slow.poll(100, 0)
    slow.commit()

    waiting.join(30)

    assert broker.count("plain") == 12


def test_what_retention_dropped_holds_up_nobody(make: MakeLocal) -> None:
    """A group that lost its records to retention does not block the producers for ever."""
    clock = ManualClock(NOON)
    broker = make(clock, max_lag=10, patience=0)
    broker.consumer("gone", ["plain"])
    produce(broker, "plain", *[(f"k{i}", b"v") for i in range(11)])
    with pytest.raises(TryLater, match="gone on plain"):
        produce(broker, "plain", ("one more", b"v"))

    clock.set(NOON + timedelta(hours=49))
    broker.compact(clock.now())
    produce(broker, "plain", ("one more", b"v"))

    assert broker.count("plain") == 1


def test_a_group_without_members_is_forgotten(make: MakeLocal) -> None:
    """After a week a role that was switched off holds up nobody; should it come back, it starts
    with the oldest record.
    """
    wall = ManualClock(NOON)
    broker = make(lease_clock=wall)
    gone = broker.consumer("gone", ["plain"])
    produce(broker, "plain", ("a", b"1"))
    gone.poll(1, 0)
    gone.commit()
    gone.close()
    wall.set(NOON + timedelta(days=6))
    broker.compact(datetime.now(UTC))
    assert broker.lag("gone") == {"plain": 0}

    wall.set(NOON + timedelta(days=8))
    broker.compact(datetime.now(UTC))

    assert broker.lag("gone") == {}
    assert len(broker.consumer("gone", ["plain"]).poll(10, 0)) == 1


def test_a_member_that_slept_for_a_week_comes_back(make: MakeLocal) -> None:
    """Its group was forgotten while the machine slept: it starts again with the oldest record."""
    wall = ManualClock(NOON)
    broker = make(lease_clock=wall)
    asleep = broker.consumer("g", ["plain"])
    produce(broker, "plain", ("a", b"1"))
    asleep.poll(1, 0)
    wall.set(NOON + timedelta(days=8))
    broker.compact(datetime.now(UTC))

    with pytest.raises(Fenced):
        asleep.commit()
    assert len(asleep.poll(10, 0)) == 1


def test_other_topics_and_tombstones_do_not_wait(make: MakeLocal) -> None:
    """A lagging group blocks its own topic only, and never an erasure there."""
    broker = make(max_lag=1, patience=0)
    broker.consumer("slow", ["keyed"])
    produce(broker, "keyed", ("a", b"secret"), ("b", b"1"))

    produce(broker, "plain", ("a", b"1"))
    produce(broker, "keyed", ("a", None))

    with pytest.raises(TryLater):
        produce(broker, "keyed", ("c", b"1"))


# ---- crash and disk ---------------------------------------------------------------------------


def test_kill_nine_keeps_every_acknowledged_record(path: Path, make: MakeLocal) -> None:
    """A process killed while it flushes loses nothing that it was told is safe."""
    make().close()
    child = subprocess.Popen(
        [sys.executable, "-c", _FLUSH_FOR_EVER, str(path)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    with child, child.stdout as said:
        acknowledged = [int(said.readline()) for _ in range(40)]
        os.kill(child.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in said.read().split()]

    broker = make()
    batches = {int(record.key) for record in take(broker.reader(["plain"]), broker.count("plain"))}

    assert batches >= set(acknowledged)
    assert broker.count("plain") % 50 == 0  # a batch is there as a whole or not at all


_FLUSH_FOR_EVER = """
import itertools, sys
from pathlib import Path
from pipeline.brokers.local import LocalBroker
producer = LocalBroker(Path(sys.argv[1])).producer()
for number in itertools.count():
    for _ in range(50):
        producer.send("plain", str(number), b"x" * 500)
    producer.flush()
    print(number, flush=True)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("cannot mount a small tmpfs here (needs root): a full disk is not tested")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(broker: Broker) -> int:
    """Produces until the disk is full; returns the number of records acknowledged."""
    for flushed in range(0, 100_000, 10):
        try:
            produce(broker, "plain", *[(f"k{i}", b"x" * 1_000) for i in range(10)])
        except TryLater as error:
            assert "no space left" in str(error)  # noqa: PT017 - the number is needed as well
            return flushed
    raise AssertionError("the disk never got full")


def test_a_full_disk_says_so_and_loses_nothing(small_disk: Path) -> None:
    """No space: TryLater; what was acknowledged is there; with room again it goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    broker = LocalBroker(small_disk / "broker")
    broker.ensure([PLAIN])
    consumer = broker.consumer("g", ["plain"])
    consumer.poll(1, 0)

    flushed = fill(broker)

    assert broker.count("plain") == flushed > 0
    ballast.unlink()
    produce(broker, "plain", ("after", b"1"))
    assert len(consumer.poll(100_000, 0)) == flushed + 1
    consumer.commit()
    broker.close()


def test_a_locked_file_is_named(path: Path, make: MakeLocal) -> None:
    """Somebody else's lock at the start is told with the path, not as a stack of errors."""
    make().close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(GiveUp, match=f"{path.name} is locked"):
            LocalBroker(path)
    finally:
        other.close()


@pytest.mark.parametrize(
    "content", [b"this is no database at all, " * 100, b"SQLite format 3\x00" + b"\xff" * 4_000]
)
def test_a_damaged_file_is_named(path: Path, content: bytes) -> None:
    """A file that is no database stops the start and is left as it was."""
    path.write_bytes(content)

    with pytest.raises(GiveUp, match=path.name):
        LocalBroker(path)

    assert path.read_bytes() == content


def test_somebody_elses_database_is_not_touched(path: Path) -> None:
    """A SQLite file of another program is refused before a table is made in it."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()

    with pytest.raises(GiveUp, match="something else"):
        LocalBroker(path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A path that cannot be made says what to mend."""
    with pytest.raises(GiveUp, match="nowhere"):
        LocalBroker(tmp_path / "nowhere" / "broker")


def test_only_its_owner_can_read_the_file(path: Path, make: MakeLocal) -> None:
    """Posts of people lie in there."""
    produce(make(), "plain", ("a", b"1"))

    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


# ---- compaction and erasure -------------------------------------------------------------------


def test_compaction_keeps_the_last_value(make: MakeLocal) -> None:
    """After a day superseded records and tombstones go, the last value of a key stays."""
    clock = ManualClock(NOON)
    broker = make(clock)
    produce(broker, "keyed", ("a", b"1"), ("b", b"1"), ("a", b"2"), ("c", b"1"), ("c", None))

    assert broker.compact(NOON + timedelta(hours=23)) == 0
    assert broker.compact(NOON + timedelta(hours=25)) == 2

    assert values(take(broker.reader(["keyed"]), 2)) == {"b": [b"1"], "a": [b"2"]}


@given(
    sent=st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from([None, b"1", b"2"])), max_size=30
    ),
    cut=st.integers(0, 30),
)
@settings(max_examples=40, deadline=None)
def test_compaction_and_tombstones_never_change_what_is_known(
    sent: list[tuple[str, bytes | None]], cut: int
) -> None:
    """Whatever was sent and forgotten, a reader's last value of each key is what was sent last.

    Records of the last day all stay, but for those that a tombstone deleted.
    """
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "SEGMENT", 3)
        clock = ManualClock(NOON)
        broker = LocalBroker(Path(folder) / "broker", clock, temporary=True)
        broker.ensure([KEYED])
        produce(broker, "keyed", *sent[:cut])
        clock.set(NOON + timedelta(hours=25))
        produce(broker, "keyed", *sent[cut:])

        broker.compact(clock.now())

        left = broker.reader(["keyed"]).poll(100, 0)
        broker.close()
    last = {key: value for key, value in dict(sent).items() if value is not None}
    assert {record.key: record.value for record in left if record.value is not None} == last
    recent = [
        pair
        for number, pair in enumerate(sent[cut:], cut)
        if (pair[0], None) not in sent[number + 1 :]
    ]
    assert [(record.key, record.value) for record in left if record.at > to_ms(NOON)] == recent


def test_compaction_spares_what_a_group_has_not_consumed(make: MakeLocal) -> None:
    """A group sees every version, however late it comes, as long as retention allows."""
    clock = ManualClock(NOON)
    broker = make(clock)
    consumer = broker.consumer("g", ["keyed"])
    produce(broker, "keyed", ("a", b"1"), ("a", b"2"))

    assert broker.compact(NOON + timedelta(hours=25)) == 0
    consumer.poll(10, 0)
    consumer.commit()
    assert broker.compact(NOON + timedelta(hours=25)) == 1


def test_retention_drops_what_nobody_read(make: MakeLocal) -> None:
    """Past retention a record goes, read or not, and leaves no lag behind."""
    clock = ManualClock(NOON)
    broker = make(clock)
    consumer = broker.consumer("g", ["plain"])
    produce(broker, "plain", ("old", b"1"))
    clock.set(NOON + timedelta(hours=47))
    produce(broker, "plain", ("new", b"1"))

    assert broker.compact(NOON + timedelta(hours=49)) == 1
    assert [record.key for record in consumer.poll(10, 0)] == ["new"]
    broker.compact(NOON + timedelta(hours=100))

    assert broker.lag("g") == {"plain": 0}


def test_a_file_that_is_mostly_free_shrinks(path: Path, make: MakeLocal) -> None:
    """After a busy day its disk space is given back."""
    broker = make(ManualClock(NOON))
    produce(broker, "plain", *[(f"k{i}", b"x" * 1_000) for i in range(5_000)])
    broker.compact(NOON)
    full = path.stat().st_size

    broker.compact(NOON + timedelta(days=3))

    assert path.stat().st_size < full / 2


def test_a_tombstone_takes_earlier_values_from_the_disk(path: Path, make: MakeLocal) -> None:
    """The text is not only marked as gone: its bytes are not in the database file any more."""
    broker = make()
    produce(broker, "keyed", ("a", b"the-secret-text"), ("b", b"kept"))

    produce(broker, "keyed", ("a", None))

    broker.compact(datetime.now(UTC))  # empties the write-ahead log
    assert broker.count("keyed") == 2
    assert b"the-secret-text" not in bytes_on_disk(path)
    assert b"kept" in bytes_on_disk(path)


def test_erasing_reaches_all_topics_and_dead_letters(path: Path, make: MakeLocal) -> None:
    """After an erasure neither table, nor free pages, nor the log hold the person's bytes."""
    broker = make()
    broker.ensure(topics.TOPICS)
    around = [(f"x:{number}", b"other words " * 50) for number in range(300)]
    produce(broker, topics.MENTIONS, *around[:150])  # so that pages are split
    produce(broker, topics.MENTIONS, ("x:77a", b"secret-one"), ("x:78a", b"kept-one"))
    produce(broker, topics.FEEDBACK, ("x:77a", b"secret-two"))
    produce(broker, topics.LINKS, ("x:77a|status:1", b"secret-three"))
    bad = letter(
        "worker",
        "no",
        b'{"source":"x","external_id":"77a","secret-four":1}',
        topic=topics.MENTIONS,
        origin="f line 1",
        at=NOON,
    )
    produce(broker, topics.MENTIONS, *around[150:])
    broken = bad.model_copy(update={"origin": "f line 2", "data": "eyJleHRlcm5hbF9pZCI6Ijc3YSIs"})
    other = letter("worker", "no", b"77ab", topic=topics.MENTIONS, origin="f line 3", at=NOON)
    produce(broker, topics.DEADLETTER, *[(d.key, d.to_json()) for d in (bad, broken, other)])

    busy = broker.consumer("g", [topics.MENTIONS])
    busy.poll(10, 0)

    assert broker.erase(["x:77a"]) == 5

    left = bytes_on_disk(path)
    for secret in (b"secret-", bad.data.encode(), broken.data.encode(), b"x:77a"):
        assert secret not in left
    assert b"kept-one" in left
    assert broker.count(topics.DEADLETTER) == 1


def test_discarding_keeps_what_somebody_still_has_to_read(make: MakeLocal) -> None:
    """A replay's file stays small, and no group and no reader misses a record."""
    broker = make()
    produce(broker, "plain", *[(f"k{i}", b"v") for i in range(10)])
    fast, slow = broker.consumer("fast", ["plain"]), broker.consumer("slow", ["plain"])
    reader = broker.reader(["plain"])
    for consumer, count in ((fast, 10), (slow, 6)):
        consumer.poll(count, 0)
        consumer.commit()
    reader.poll(3, 0)

    assert broker.discard_consumed() == 3
    reader.close()
    assert broker.discard_consumed() == 3

    assert [record.key for record in slow.poll(10, 0)] == ["k6", "k7", "k8", "k9"]


def test_a_long_file_is_read_as_fast_as_a_short_one(path: Path, make: MakeLocal) -> None:
    """Reading on from any place is a search in a tree, not a scan."""
    make()
    read_on = "SELECT offset, key, value, at FROM log_1 WHERE offset > 1 ORDER BY offset LIMIT 5"
    look_up = "SELECT offset FROM log_2_keys WHERE segment = 1 AND hash = 7"
    db = sqlite3.connect(path)
    plans = [db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in (read_on, look_up)]
    db.close()

    assert all("SEARCH" in str(plan) and "SCAN" not in str(plan) for plan in plans)


def test_many_threads_can_share_a_broker(make: MakeLocal) -> None:
    """Producers and a consumer in threads of their own lose and double nothing."""
    broker = make()

    def send(name: int) -> None:
        producer = broker.producer()
        for number in range(200):
            producer.send("plain", f"{name}", b"%d" % number)
            if number % 20 == 19:
                producer.flush()

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    found = values(take(broker.consumer("g", ["plain"]), 800))
    for thread in threads:
        thread.join()

    assert found == {f"{name}": [b"%d" % n for n in range(200)] for name in range(4)}


def test_a_topic_may_become_compacted(tmp_path: Path) -> None:
    """A file of an earlier version keeps its records, and a tombstone takes the earlier ones."""
    path = tmp_path / "old.broker"
    with closing(LocalBroker(path)) as broker:
        broker.ensure([Topic("letters", retention_hours=24)])
        producer = broker.producer()
        producer.send("letters", "a", b"one")
        producer.send("letters", "b", b"two")
        producer.flush()
    with closing(LocalBroker(path)) as broker:
        broker.ensure([Topic("letters", compacted=True, retention_hours=24)])
        producer = broker.producer()
        producer.send("letters", "a", None)
        producer.flush()
        reader = broker.reader(["letters"])
        assert [(r.key, r.value) for r in reader.poll(9, 0)] == [("b", b"two"), ("a", None)]
