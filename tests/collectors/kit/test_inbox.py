"""The inbox of what is pushed: how little it writes while nothing comes."""

import threading
from datetime import timedelta

import pytest

from collectors.kit import inbox
from pipeline.clock import ManualClock
from tests.contracts.listening import START


def test_while_nothing_comes_the_cursor_seldom_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one that differs is written, twice a second, with the ids of a thousand deliveries."""
    monkeypatch.setattr(inbox, "LONGEST_WAIT", 0.0)
    clock = ManualClock(START)
    items = inbox.Inbox("acme", clock).items(None, threading.Event())
    cursors = set()
    for _ in range(120):
        cursors.add(next(items).cursor)
        clock.set(clock.now() + timedelta(seconds=0.5))
    assert len(cursors) <= 7
