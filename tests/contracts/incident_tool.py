"""What every incident tool that pushes must do, however its deliveries come.

A test module of a tool makes a subclass of ``IncidentToolContract`` with the fixture ``rig``. Tools
that can be asked pass ``PlatformContract`` as well.
"""

import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from collectors.incidents.kit.pieces import Ledger
from collectors.incidents.kit.tool import House, Tool
from pipeline.clock import ManualClock
from pipeline.model import Incident
from pipeline.ports import Item, Unreadable
from tests.contracts.collector import CollectorContract, OpenSource
from tests.contracts.listening import START

#: How the secret of every rig is called in the environment, and what it is while it is replaced.
VARIABLE = "ACME_INCIDENTS"
OLD, NEW = "whsec_" + "QUJD" * 11, "whsec_" + "REVG" * 11


def at(minute: int) -> datetime:
    """So many minutes after all began."""
    return START + timedelta(minutes=minute)


@dataclass
class Rig:
    """A tool that pushes, and what it pushes.

    ``story``: deliveries about one incident from its beginning to its end, in their order.
    ``statuses`` and ``said``: the history and the updates that it has in the end.
    ``sign(secret, body, number, at)``: the headers of a delivery.
    """

    clock: ManualClock
    open: Callable[[], Tool]
    sign: Callable[[str, bytes, str, datetime], dict[str, str]]
    read: Callable[[Any], Iterable[Incident]]
    house: House
    story: list[Any]
    statuses: list[str]
    said: list[str]
    is_timed: bool = True
    others: tuple[Any, ...] = ()

    def deliver(
        self, tool: Any, told: Any, number: str, secret: str = OLD, **headers: str
    ) -> tuple[int, str, float | None]:
        """What the tool's receiver answers to one delivery."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        signed = self.sign(secret, body, number, self.clock.now()) | headers
        answer: tuple[int, str, float | None] = tool.receive(signed, body)
        return answer


@contextmanager
def reading(tool: Tool, cursor: str | None = None) -> Iterator[list[Item]]:
    """Reads the tool in a thread, as intake does; the items that came, and at last their end."""
    stop, came = threading.Event(), list[Item]()
    is_open = threading.Event()

    def read() -> None:
        for item in tool.items(cursor, stop):
            came.append(item)
            is_open.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert is_open.wait(10)
    try:
        yield came
    finally:
        stop.set()
        thread.join()


def incidents(items: Iterable[Item]) -> list[Incident]:
    """The incidents among items."""
    return [item.value for item in items if isinstance(item.value, Incident)]


class IncidentToolContract(CollectorContract):
    """The suite; it has what every source must do, too."""

    kind: ClassVar[str]

    @pytest.fixture
    def rig(self) -> Rig:
        raise AssertionError("the tool's test gives this fixture")

    @pytest.fixture(autouse=True)
    def _secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, f"{OLD} {NEW}")

    @pytest.fixture
    def words(self, rig: Rig) -> int:
        return len(_versions(rig, rig.story))

    @pytest.fixture
    def open_source(self, rig: Rig) -> Iterator[OpenSource]:
        """The tool, and a sender that repeats each delivery until it is taken."""
        ended = threading.Event()

        def opened() -> Tool:
            tool = rig.open()

            def send() -> None:
                for number, told in enumerate(rig.story):
                    while not ended.is_set() and rig.deliver(tool, told, str(number))[0] != 200:
                        ended.wait(0.02)

            threading.Thread(target=send, daemon=True).start()
            return tool

        yield opened
        ended.set()

    def test_the_story_comes_in_full(self, rig: Rig) -> None:
        """Every change of status and every update; the versions rise."""
        tool = rig.open()
        with reading(tool) as came:
            for number, told in enumerate(rig.story):
                assert rig.deliver(tool, told, str(number))[0] == 200
        told_of = incidents(came)
        assert {one.id for one in told_of} == {told_of[0].id}
        assert [step.status for step in told_of[-1].history] == rig.statuses
        assert [update.body for update in told_of[-1].updates] == rig.said
        versions = [one.version for one in told_of]
        assert versions == sorted(set(versions))

    def test_any_order_and_repetition_gives_the_same_incident(self, rig: Rig) -> None:
        """What comes late, twice or out of order ends in the same."""
        wanted = _versions(rig, rig.story)[-1]
        for seed in range(200):
            chance = random.Random(seed)
            story = [*rig.story, *chance.choices(rig.story, k=3)]
            chance.shuffle(story)
            assert _versions(rig, story)[-1] == wanted

    def test_a_delivery_twice_is_one(self, rig: Rig) -> None:
        """By its name, and by what it says under another name."""
        tool = rig.open()
        with reading(tool) as came:
            for number in ("1", "1", "2"):
                assert rig.deliver(tool, rig.story[0], number)[0] == 200
        assert len(incidents(came)) == 1

    def test_a_restart_in_the_middle_makes_no_difference(self, rig: Rig) -> None:
        """What was told before stands in the cursor."""
        cursor = None
        for number, told in enumerate(rig.story[:4]):
            tool = rig.open()
            with reading(tool, cursor) as came:
                assert rig.deliver(tool, told, str(number))[0] == 200
            cursor = came[-1].cursor
        tool = rig.open()
        with reading(tool, cursor) as came:
            assert rig.deliver(tool, rig.story[0], "again")[0] == 200
        assert incidents(came) == []

    def test_a_wrong_signature_is_refused(self, rig: Rig) -> None:
        """401, and nothing of it goes anywhere."""
        tool = rig.open()
        with reading(tool) as came:
            assert rig.deliver(tool, rig.story[0], "1", secret="whsec_" + "eHl6" * 11)[0] == 401
            unsigned = json.dumps(rig.story[0]).encode()
            assert tool.receive({}, unsigned)[0] == 401  # type: ignore[attr-defined]
        assert incidents(came) == []

    def test_both_secrets_count_while_one_is_replaced(self, rig: Rig) -> None:
        """The old and the new one."""
        tool = rig.open()
        with reading(tool):
            assert rig.deliver(tool, rig.story[0], "1", secret=OLD)[0] == 200
            assert rig.deliver(tool, rig.story[0], "2", secret=NEW)[0] == 200

    def test_what_was_signed_long_ago_is_refused(self, rig: Rig) -> None:
        """Whoever recorded a delivery cannot play it again later."""
        if not rig.is_timed:
            pytest.skip("what it signs has no time: a repetition says nothing new")
        tool = rig.open()
        body = json.dumps(rig.story[0]).encode()
        with reading(tool):
            for away in (timedelta(minutes=-6), timedelta(minutes=6)):
                signed = rig.sign(OLD, body, "1", rig.clock.now() + away)
                assert tool.receive(signed, body)[0] == 401  # type: ignore[attr-defined]

    @pytest.mark.parametrize("told", [b"{bad", b"[]", b"7", b"{}", b'{"event": 3}', b"null"])
    def test_what_makes_no_sense_is_set_aside(self, rig: Rig, told: bytes) -> None:
        """With 200: tools stop sending after refusals; its words are in no reason."""
        tool = rig.open()
        with reading(tool) as came:
            assert rig.deliver(tool, told, "1")[0] == 200
        letters = [item.value for item in came if isinstance(item.value, Unreadable)]
        assert len(letters) <= 1
        assert incidents(came) == []

    def test_events_of_other_kinds_are_taken_and_left(self, rig: Rig) -> None:
        """They are no errors."""
        tool = rig.open()
        with reading(tool) as came:
            for number, told in enumerate(rig.others):
                assert rig.deliver(tool, told, str(number))[0] == 200
        assert [item.value for item in came if item.value is not None] == []

    def test_nothing_is_accepted_while_nobody_reads(self, rig: Rig) -> None:
        """The sender is told to come back."""
        answer = rig.deliver(rig.open(), rig.story[0], "1")
        assert answer[0] == 503
        assert answer[2] is not None


def _versions(rig: Rig, story: Iterable[Any]) -> list[dict[str, Any]]:
    """What becomes known after each piece of a story, but for the versions."""
    ledger, known = Ledger(), []
    for told in story:
        for one in rig.read(told):
            values = ledger.fold(one)
            if values is not None:
                known.append(rig.house.incident(values).model_dump(exclude={"version"}))
    return known
