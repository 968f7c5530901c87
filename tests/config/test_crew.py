"""A crew: a source that gives up stops alone, everything else stops all."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from config.crew import Crew
from config.operating.health import ready
from config.operating.meters import Meters
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp
from pipeline.intake import Intake
from pipeline.ports import Item
from pipeline.topics import TOPICS

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Source:
    """Says nothing, or raises."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self._error = error

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        while not stop.is_set():
            yield Item(None, "here")
            if self._error is not None:
                raise self._error


class Failing:
    """A role that is no source."""

    def turn(self, timeout: float) -> int:
        raise GiveUp("the warehouse is another's")

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew(ManualClock(NOW))
    yield made
    made.join()


@pytest.fixture
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Intake]]:
    broker = LocalBroker(tmp_path_factory.mktemp("broker") / "test.broker", ManualClock(NOW))
    broker.ensure(TOPICS)
    yield lambda *told: Intake(Source(*told), broker, None, ManualClock(NOW))
    broker.close()


def wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_source_that_gives_up_stops_alone(crew: Crew, intake: Callable[..., Intake]) -> None:
    """The other one goes on; readiness and page say what to mend, and that it stays so."""
    meters = Meters(ManualClock(NOW), crew.roles)
    crew.run(
        {
            "good": intake("good"),
            "bad": intake("bad", GiveUp("bad: refuses us (401): mend `token_from`")),
        }
    )
    wait(lambda: crew.roles["bad"].has_given_up and crew.roles["good"].turns > 0)
    turns = crew.roles["good"].turns
    wait(lambda: crew.roles["good"].turns > turns)
    assert not crew.stop.is_set()
    told = {check["name"]: check for check in ready(meters, is_complete=True).told["checks"]}
    assert told["good"]["ok"]
    assert "mend `token_from`" in told["bad"]["told"]
    assert "not tried again" in told["bad"]["mend"]
    assert crew.roles["bad"].state == "stopped"
    assert crew.notice() == "bad has stopped: bad: refuses us (401): mend `token_from`."
    crew.check()


def test_a_fault_of_one_source_is_its_own(crew: Crew, intake: Callable[..., Intake]) -> None:
    """A bug there does not end the process; its message, which may quote a post, is not told."""
    crew.run({"good": intake("good"), "bad": intake("bad", KeyError("a post"))})
    wait(lambda: crew.roles["bad"].has_given_up)
    assert not crew.stop.is_set()
    assert crew.troubles["bad"] == "bad ended by a fault of its own: KeyError"


def test_with_its_last_source_a_process_of_sources_ends(
    crew: Crew, intake: Callable[..., Intake]
) -> None:
    """Whoever supervises it must see that nothing is read any more."""
    crew.run({"bad": intake("bad", GiveUp("mend it"))})
    assert crew.stop.wait(20)
    with pytest.raises(GiveUp, match="mend it"):
        crew.check()


def test_any_other_role_that_gives_up_ends_all(crew: Crew, intake: Callable[..., Intake]) -> None:
    """Without its store, for one, a process is of no use."""
    crew.run({"good": intake("good"), "store": Failing()})
    assert crew.stop.wait(20)
    with pytest.raises(GiveUp, match="another's"):
        crew.check()
