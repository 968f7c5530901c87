"""Roles take turns, wait when something is away, and stop when told to."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GiveUp, TryLater
from pipeline.roles import LONGEST_PAUSE, pause, run
from tests.pipeline.flow import NOON


class Scripted:
    """A role whose turns raise what its script says; it stops the loop at the script's end."""

    def __init__(self, *script: Exception | None) -> None:
        self.stop = threading.Event()
        self.turns = 0
        self.is_closed = False
        self._script = list(script)

    def turn(self, timeout: float) -> int:
        self.turns += 1
        problem = self._script.pop(0) if self._script else None
        if not self._script:
            self.stop.set()
        if problem is not None:
            raise problem
        return 1

    def close(self) -> None:
        self.is_closed = True


def test_turns_are_taken_until_the_stop() -> None:
    """A role works until it is told to stop and is closed then."""
    role = Scripted(None, None, None)

    run(role, role.stop, ManualClock(NOON))

    assert role.turns == 3
    assert role.is_closed


def test_trouble_is_told_and_its_end_once() -> None:
    """Whoever runs a role hears each trouble, and once that it is over."""
    told: list[str | None] = []
    role = Scripted(None, TryLater("away"), TryLater("still away"), None, None)

    run(role, role.stop, ManualClock(NOON), told.append)

    assert told == ["away", "still away", None]


def test_what_is_away_is_waited_for() -> None:
    """Each failure in a row makes the pause longer, up to a limit."""
    clock = ManualClock(NOON)
    role = Scripted(*[TryLater("away")] * 20, None)

    run(role, role.stop, clock)

    assert role.turns == 21
    assert timedelta(minutes=3) < clock.now() - NOON < timedelta(seconds=20 * LONGEST_PAUSE)


def test_a_pause_that_was_asked_for_is_kept() -> None:
    """Who says "not before a minute" is not asked before."""
    clock = ManualClock(NOON)
    role = Scripted(TryLater("too many", after=60), None)

    run(role, role.stop, clock)

    assert clock.now() - NOON >= timedelta(seconds=60)


def test_pauses_grow_and_differ() -> None:
    """Doubling from a quarter of a second, at most half a minute, never two alike."""
    assert 0 < pause(1) <= 0.25
    assert LONGEST_PAUSE / 2 <= pause(100_000) <= LONGEST_PAUSE
    assert len({pause(5) for _ in range(10)}) > 1


@pytest.mark.parametrize("problem", [GiveUp("mend it"), RuntimeError("a bug")])
def test_what_cannot_be_mended_ends_the_role(problem: Exception) -> None:
    """The error gets out and the role is closed."""
    role = Scripted(problem, None)

    with pytest.raises(type(problem)):
        run(role, role.stop, ManualClock(NOON))

    assert role.is_closed


def test_a_role_that_is_done_ends() -> None:
    """A recorded file has an end, and so has its intake."""

    class Ending(Scripted):
        @property
        def done(self) -> bool:
            return self.turns == 2

    role = Ending(*[None] * 10)

    run(role, role.stop, ManualClock(NOON))

    assert role.turns == 2


def test_a_stop_ends_a_long_pause() -> None:
    """Nobody waits for the rest of a pause when the program should end."""
    role = Scripted(*[TryLater("away", after=3_600)] * 5)
    thread = threading.Thread(target=run, args=(role, role.stop, SystemClock()))
    thread.start()
    while not role.turns:
        time.sleep(0.01)
    role.stop.set()

    thread.join(30)

    assert not thread.is_alive()
    assert role.is_closed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly(number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end the loop and the role is closed; the process leaves with 0."""
    with subprocess.Popen([sys.executable, "-c", _ROLE], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        os.kill(child.pid, number)
        said = child.stdout.read()

    assert said == b"closed\n"
    assert child.returncode == 0


_ROLE = """
import threading
from pipeline.clock import SystemClock
from pipeline.roles import install_stop_signals, run

class Idle:
    said = False
    def turn(self, timeout):
        if not self.said:
            print("ready", flush=True)
            self.said = True
        stop.wait(timeout)
        return 0
    def close(self):
        print("closed", flush=True)

stop = threading.Event()
install_stop_signals(stop)
run(Idle(), stop, SystemClock())
"""
