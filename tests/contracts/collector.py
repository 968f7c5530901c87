"""What every source must do, whatever stands behind it: the contract of ``Collector.items``.

A test module of a source makes a subclass of ``CollectorContract`` with two fixtures:
``open_source`` opens a source anew over the same platform, as a restarted process does, and
``words`` says how many words (coverage not counted) that platform holds.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pipeline.model import Coverage, Decision, Incident, Mention, Removal, Spend
from pipeline.ports import Collector, Item, Unreadable

OpenSource = Callable[[], Collector]
#: What tells one delivered thing from another: its kind, its key, its version.
Token = tuple[str, str, str]
#: Longest wait for what must come, in seconds: generous, for machines differ.
SOON = 30.0


def token(value: Mention | Removal | Decision | Incident | Unreadable) -> Token:
    """What tells one delivered thing from another, and one version of it from the next."""
    if isinstance(value, Unreadable):
        return ("Unreadable", value.origin, value.reason)
    version = getattr(value, "version", None) or getattr(value, "kind", "")
    return (type(value).__name__, value.key, str(version))


def delivered(items: Iterator[Item]) -> Iterator[tuple[Token, str]]:
    """Token and cursor of everything but coverage, money spent and quiet moments."""
    for item in items:
        if item.value is not None and not isinstance(item.value, Coverage | Spend):
            yield token(item.value), item.cursor


def read(
    source: Collector, cursor: str | None, is_enough: Callable[[set[Token]], bool]
) -> list[tuple[Token, str]]:
    """Tokens with their cursors until there are enough of them, or the source ended."""
    stop = threading.Event()
    items = source.items(cursor, stop)
    came: list[tuple[Token, str]] = []
    deadline = time.monotonic() + SOON
    while not is_enough({found for found, _ in came}) and time.monotonic() < deadline:
        item = next(items, None)
        if item is None:
            break
        came += delivered(iter([item]))
    stop.set()
    items.close()  # type: ignore[attr-defined] # all of ours are generators
    return came


class CollectorContract:
    """The suite."""

    @pytest.fixture
    def open_source(self) -> OpenSource:
        raise AssertionError("the adapter's test gives this fixture")

    @pytest.fixture
    def words(self) -> int:
        raise AssertionError("the adapter's test gives this fixture")

    def test_everything_comes_with_a_cursor(self, open_source: OpenSource, words: int) -> None:
        """From the beginning, all there is comes, and each item can be resumed after."""
        came = read(open_source(), None, lambda seen: len(seen) >= words)
        assert len({found for found, _ in came}) == words
        assert all(cursor for _, cursor in came)

    def test_it_resumes_right_after_any_item(self, open_source: OpenSource, words: int) -> None:
        """A new process with the cursor of any item gets all the rest, in order; repeats may be."""
        came = read(open_source(), None, lambda seen: len(seen) >= words)
        for position, (_, cursor) in enumerate(came[:-1]):
            rest = [found for found, _ in came[position + 1 :]]
            again = read(open_source(), cursor, set(rest).issubset)
            assert [found for found, _ in again if found in rest] == rest

    def test_it_speaks_while_nothing_comes(self, open_source: OpenSource, words: int) -> None:
        """After the last word a source ends, or says again and again that nothing is new."""
        stop = threading.Event()
        items = open_source().items(None, stop)
        quiet, last = 0, time.monotonic()
        for item in items:
            # Ten times what is promised: the machine may be busy.
            assert time.monotonic() - last < 10
            last = time.monotonic()
            quiet = quiet + 1 if item.value is None else 0
            assert item.cursor
            if quiet == 2:
                break
        stop.set()
        assert all(item.value is None or isinstance(item.value, Coverage) for item in items)

    def test_it_ends_when_told_to_stop(self, open_source: OpenSource) -> None:
        """Within 5 s, in the middle of waiting."""
        stop = threading.Event()
        items = open_source().items(None, stop)
        ended = threading.Event()

        def listen() -> None:
            for _ in items:
                pass
            ended.set()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        stop.set()
        assert ended.wait(5)
        thread.join()

    def test_its_name_is_its_own(self, open_source: OpenSource) -> None:
        """The name, and with it the cursor, is the same in the next process."""
        assert open_source().name == open_source().name != ""
