"""Recorded posts come merged by their time, at their pace, and resume after any item."""

import gzip
import io
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.kit import jsonlines
from collectors.recorded import Recorded
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from pipeline.model import Decision, Mention, Removal
from pipeline.ports import Unreadable
from tests.collectors.files import all_items, post, write

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def recorded(*paths: Path, **more: Any) -> Recorded:
    return Recorded("recorded", paths, ManualClock(START), **more)


def texts(source: Recorded, cursor: str | None = None) -> list[str]:
    values = [item.value for item in all_items(source, cursor)]
    return [value.text for value in values if isinstance(value, Mention)]


def at(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00Z"


def test_files_are_merged_by_event_time(tmp_path: Path) -> None:
    """Posts of several files come in the order of event_at, which defaults to said_at."""
    one = write(tmp_path / "one", [post(3, at(3)), post(1, at(1))])
    two = write(tmp_path / "two", [post(2, at(59), event_at=at(2)), post(4, at(4))])
    assert texts(recorded(one, two)) == ["post 1", "post 2", "post 3", "post 4"]


def test_removals_and_decisions_take_their_place(tmp_path: Path) -> None:
    """A file may mix mentions, removals and decisions; the latter two stand at their at."""
    removal = {"removal": "x:1", "kind": "erased", "at": at(2)}
    decision = {
        "id": "d1", "subject": "x:1", "verb": "link", "value": "s:1", "by": "ann", "at": at(1)
    }  # fmt: skip
    path = write(tmp_path / "posts", [post(1, at(0)), removal, post(2, at(3)), decision])
    kinds = [type(item.value) for item in all_items(recorded(path))]
    assert kinds == [Mention, Decision, Removal, Mention]


def test_a_bad_line_stands_at_its_place(tmp_path: Path) -> None:
    """A line that is no word comes right after its predecessor, with its bytes and where it was."""
    lines: list[dict[str, Any] | str] = [
        post(1, at(1)),
        "{ not JSON",
        "",
        post(2, at(2)),
        '{"source": "x"}',
        post(3, at(3)),
    ]
    values = [item.value for item in all_items(recorded(write(tmp_path / "posts", lines)))]
    assert [type(value) for value in values] == [Mention, Unreadable, Mention, Unreadable, Mention]
    assert isinstance(values[1], Unreadable)
    assert values[1].data == b"{ not JSON"
    assert values[1].origin == "posts line 2"
    assert isinstance(values[3], Unreadable)
    assert "external_id" in values[3].reason


def test_a_file_that_is_no_json_is_all_unreadable(tmp_path: Path) -> None:
    """Every line that is not empty becomes Unreadable, in order, even bytes that are no text."""
    path = tmp_path / "picture"
    path.write_bytes(b"\x89PNG\r\n\x00\xff\xfe\n\n   \nend")
    values = [item.value for item in all_items(recorded(path))]
    assert [v.origin for v in values if isinstance(v, Unreadable)] == [
        "picture line 1", "picture line 2", "picture line 5"
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["1", "null", "[]", '"text"', "NaN", "[" * 100_000])
def test_json_that_is_no_object_is_unreadable(tmp_path: Path, line: str) -> None:
    """Any JSON value can stand on a line; only objects can be words."""
    [item] = all_items(recorded(write(tmp_path / "posts", [line])))
    assert isinstance(item.value, Unreadable)


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a line longer than any word only the beginning is kept, and the next line is read."""
    monkeypatch.setattr(jsonlines, "MAX_LINE", 1_000)
    monkeypatch.setattr(jsonlines, "KEPT", 10)
    path = write(tmp_path / "posts", ["x" * 5_500, post(1, at(1)), "y" * 999])
    values = [item.value for item in all_items(recorded(path))]
    assert isinstance(values[0], Unreadable)
    assert values[0].data == b"x" * 10
    assert [type(value) for value in values] == [Unreadable, Mention, Unreadable]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    """Files that Windows wrote are read like others."""
    path = write(tmp_path / "posts", [post(1, at(1)), post(2, at(2))])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert texts(recorded(path)) == ["post 1", "post 2"]


@pytest.mark.parametrize("name", ["posts.jsonl.gz", "posts.jsonl"])
def test_gzip_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    """A packed file is unpacked, whatever it is called."""
    path = write(tmp_path / name, [post(1, at(2)), post(2, at(1))])
    path.write_bytes(gzip.compress(path.read_bytes()))
    source = recorded(path)
    assert texts(source) == ["post 2", "post 1"]
    assert texts(source) == ["post 2", "post 1"], "it can be read more than once"


def test_standard_input_is_read_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minus is standard input, packed or not; it may be played again."""
    lines = b'{"source":"x","external_id":"1","text":"post 1","said_at":"2026-03-02T09:00:00Z"}'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(lines))))
    source = recorded(Path("-"))
    assert texts(source) == texts(source) == ["post 1"]


def test_a_broken_gzip_file_is_misuse(tmp_path: Path) -> None:
    """Nothing of a torn file is played; the error names it."""
    path = tmp_path / "torn.gz"
    path.write_bytes(gzip.compress(b'{"source": "x"}\n' * 1_000)[:-20])
    with pytest.raises(Misuse, match=r"torn\.gz"):
        all_items(recorded(path))


@pytest.mark.parametrize("data", [b"\x89PNG and so on", b'{"source": "x"}\n'])
def test_what_is_called_gz_and_is_none_is_misuse(tmp_path: Path, data: bytes) -> None:
    """Its lines would all be dead letters, or it was unpacked and should be called so."""
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(Misuse, match=r"posts\.jsonl\.gz: named \.gz, but it is no gzip file"):
        all_items(recorded(path))
    path.write_bytes(b"")
    assert all_items(recorded(path)) == []


def test_what_is_no_file_is_misuse(tmp_path: Path) -> None:
    """A wrong path shows at once, before anything is started."""
    with pytest.raises(Misuse, match=r"missing: there is no such file"):
        recorded(tmp_path / "missing")
    with pytest.raises(Misuse, match="is a directory"):
        recorded(tmp_path)


def test_seen_when_it_happened(tmp_path: Path) -> None:
    """Without seen_at a post counts as seen at its event_at, so that replays agree on any day."""
    path = write(tmp_path / "posts", [post(1, at(1)), post(2, at(2), seen_at=at(7))])
    first, second = (item.value for item in all_items(recorded(path)))
    assert isinstance(first, Mention)
    assert isinstance(second, Mention)
    assert first.seen_at == first.event_at
    assert "seen_at" in first.model_fields_set
    assert second.seen_at == START + timedelta(minutes=7)


def test_a_clock_that_runs_ahead_is_held_back(tmp_path: Path) -> None:
    """A post from 2100 that was seen today takes its place five minutes after it was seen."""
    ahead = post(1, "2100-01-01T00:00:00Z", seen_at=at(10))
    path = write(tmp_path / "posts", [ahead, post(2, at(14)), post(3, at(16)), post(4, at(1))])
    assert texts(recorded(path)) == ["post 4", "post 2", "post 1", "post 3"]
    mention = all_items(recorded(path))[2].value
    assert isinstance(mention, Mention)
    assert mention.event_at == START + timedelta(minutes=15)


def test_old_and_far_times_are_sorted_like_others(tmp_path: Path) -> None:
    """1970, 1900 and the last day there is do no harm."""
    lines = [post(4, "9999-12-31T23:59:59Z"), post(2, "1970-01-01T00:00:00Z"),
             post(1, "1900-01-01T00:00:00Z"), post(3, at(1))]  # fmt: skip
    path = write(tmp_path / "posts", lines)
    assert texts(recorded(path)) == ["post 1", "post 2", "post 3", "post 4"]
    assert len(texts(recorded(path, shift=timedelta(days=365)))) == 4


def test_shift_moves_every_time(tmp_path: Path) -> None:
    """With a shift the recording happens on another day."""
    removal = {"removal": "x:1", "kind": "hidden", "at": at(2)}
    path = write(tmp_path / "posts", [post(1, at(1)), removal])
    mention, taken = (i.value for i in all_items(recorded(path, shift=timedelta(days=1))))
    assert isinstance(mention, Mention)
    assert isinstance(taken, Removal)
    assert mention.said_at == mention.event_at == mention.seen_at == START + timedelta(1, 60)
    assert taken.at == START + timedelta(1, 120)


def test_paced_by_the_clock(tmp_path: Path) -> None:
    """At speed 2 ten minutes of the recording take five minutes of the clock."""
    path = write(tmp_path / "posts", [post(1, at(0)), post(2, at(10)), post(3, at(10))])
    clock = ManualClock(START)
    items = Recorded("recorded", [path], clock, speed=2).items(None, threading.Event())
    came = [(item.value is None, clock.now() - START) for item in items]
    waiting = [since for is_empty, since in came if is_empty]
    assert [since for is_empty, since in came if not is_empty] == [
        timedelta(0), timedelta(minutes=5), timedelta(minutes=5)
    ]  # fmt: skip
    assert waiting[0] == timedelta(0), "what came before goes out before the wait"
    assert max(b - a for a, b in pairwise(waiting)) <= timedelta(seconds=1)


def test_what_is_older_than_begin_comes_at_once(tmp_path: Path) -> None:
    """With begin the recording starts in its middle; what was before is there at once."""
    path = write(tmp_path / "posts", [post(1, at(0)), post(2, at(30)), post(3, at(31))])
    clock = ManualClock(START)
    source = Recorded("r", [path], clock, speed=1, begin=START + timedelta(minutes=30))
    came = [clock.now() - START for i in source.items(None, threading.Event()) if i.value]
    assert came == [timedelta(0), timedelta(0), timedelta(minutes=1)]


def test_stop_ends_a_wait(tmp_path: Path) -> None:
    """A stopped source ends, also in the middle of a long wait."""
    path = write(tmp_path / "posts", [post(1, at(0)), post(2, "2027-01-01T00:00:00Z")])
    stop = threading.Event()
    items = Recorded("r", [path], ManualClock(START), speed=1).items(None, stop)
    assert next(items).value is not None
    assert next(items).value is None
    stop.set()
    assert list(items) == []


def test_changed_files_are_read_anew(tmp_path: Path) -> None:
    """A cursor of other bytes would point to somewhere else: repeats are better than losses."""
    path = write(tmp_path / "posts", [post(1, at(1)), post(2, at(2))])
    last = all_items(recorded(path))[-1].cursor
    assert texts(recorded(path), last) == []
    write(path, [post(0, at(0)), post(1, at(1)), post(2, at(2))])
    assert texts(recorded(path), last) == ["post 0", "post 1", "post 2"]
    assert texts(recorded(path), "nonsense") == ["post 0", "post 1", "post 2"]


LINES = st.lists(
    st.one_of(
        st.integers(0, 59).map(lambda minute: post(minute, at(minute))),
        st.sampled_from(["", "{", "null"]),
    ),
    max_size=12,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(files=st.lists(LINES, min_size=1, max_size=3), data=st.data())
def test_resuming_after_any_item_gives_the_rest(
    tmp_path: Path, files: list[list[dict[str, Any] | str]], data: st.DataObject
) -> None:
    """The cursor of any item is followed by exactly what came after it, in a new process too."""
    paths = [write(tmp_path / str(n), lines) for n, lines in enumerate(files)]
    items = all_items(recorded(*paths))
    assert len(items) == sum(line != "" for lines in files for line in lines)
    times = [item.value.event_at for item in items if isinstance(item.value, Mention)]
    assert times == sorted(times)
    if items:
        cut = data.draw(st.integers(0, len(items) - 1))
        assert all_items(recorded(*paths), items[cut].cursor) == items[cut + 1 :]


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """Only an index of some 22 bytes a line is kept, not the lines."""
    line = '{"source":"x","external_id":"%d","text":"' + "x" * 2_000 + '","said_at":"%s"}'
    path = write(tmp_path / "posts", [line % (n, at(n % 60)) for n in range(5_000)])
    source = recorded(path)
    tracemalloc.start()
    try:
        assert len(source) == 5_000
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5_000 * 60, "the file has ten million bytes"
