"""Looking again: rounds over what is held, what is linked before the rest, and how it stands."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.kit.rechecks import Checked, Held, Rechecks, checked
from collectors.kit.web import Stopped
from pipeline.errors import TryLater
from tests.contracts.listening import START

HOUR = timedelta(hours=1)


class Shelf:
    """What is held: all of it, and what is linked or shown."""

    def __init__(self, numbers: Sequence[str], linked: Sequence[str] = ()) -> None:
        self.numbers = numbers
        self.linked = linked

    def __call__(self, platform: str, since: datetime, after: str, most: int) -> Sequence[str]:
        return [number for number in self.numbers if number > after][:most]

    def first(self, platform: str, since: datetime, after: str, most: int) -> Sequence[str]:
        return [number for number in self.linked if number > after][:most]


def looked(
    rounds: Rechecks, own: dict[str, Any], now: Callable[[], datetime], times: int
) -> list[str]:
    """What is looked at in so many goes."""
    seen: list[str] = []
    for _ in range(times):
        for number in rounds.due(own, now()):
            seen.append(number)
            rounds.done(own, number)
    return seen


def test_what_is_linked_is_looked_at_first() -> None:
    """In every round, and with all the rest once more."""
    shelf = Shelf(["a", "b", "c", "d"], ["b", "d"])
    rounds = Rechecks("p", shelf, HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    assert looked(rounds, own, lambda: START, 9) == ["b", "d", "a", "b", "c", "d"]
    assert looked(rounds, own, lambda: START + HOUR, 3) == ["b", "d", "a"]


def test_a_round_that_takes_too_long_is_told() -> None:
    """More is held than the budget lets us look at: what was deleted stays too long."""
    rounds = Rechecks("p", Shelf(["a", "b", "c"]), HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    assert rounds.trouble(own, START) is None
    looked(rounds, own, lambda: START, 1)
    assert rounds.trouble(own, START + HOUR) is None
    told = rounds.trouble(own, START + 3 * HOUR)
    assert told is not None
    assert "3 h" in told
    looked(rounds, own, lambda: START + 3 * HOUR, 3)
    assert rounds.trouble(own, START + 3 * HOUR) is None


def test_a_round_waits_for_a_store_that_is_away() -> None:
    """It goes on where it was."""
    is_away = True

    def held(platform: str, since: datetime, after: str, most: int) -> Sequence[str]:
        if is_away:
            raise TryLater("away")
        return Shelf(["a"])(platform, since, after, most)

    kept: Held = held
    rounds = Rechecks("p", kept, HOUR, 24 * HOUR)
    own: dict[str, Any] = {}
    assert looked(rounds, own, lambda: START, 2) == []
    is_away = False
    assert looked(rounds, own, lambda: START, 2) == ["a"]


def failing_looks(
    rounds: Rechecks, own: dict[str, Any], now: datetime, broken: set[str], times: int
) -> list[str]:
    """What was looked at well, where each go of a batch fails that has a broken one in it."""
    well: list[str] = []
    for _ in range(times):
        try:
            if due := rounds.due(own, now):
                with rounds.looking(own, due):
                    if broken & set(due):
                        raise TryLater("403")
                    well += due
                    rounds.done(own, due[-1])
        except TryLater:
            pass
    return well


@pytest.mark.parametrize("at_once", [1, 2, 20])
def test_a_post_whose_look_always_fails_holds_up_no_other(at_once: int) -> None:
    """It is put behind the others, looked at once more at the end, and the round comes to it."""
    rounds = Rechecks("p", Shelf(["a", "b", "c", "d", "e"]), HOUR, 24 * HOUR, at_once)
    own: dict[str, Any] = {}
    well = failing_looks(rounds, own, START, {"b", "d"}, 60)
    assert well == ["a", "c", "e"]
    assert own["checks"]["over"]
    # The next round has them in their order again.
    assert failing_looks(rounds, own, START + HOUR, {"d"}, 60) == ["a", "b", "c", "e"]
    assert own["checks"]["over"]


def test_a_post_that_is_back_at_the_end_of_the_round_is_looked_at() -> None:
    """Three failures were an outage of the platform's, not the post's."""
    rounds = Rechecks("p", Shelf(["a", "b"]), HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    assert failing_looks(rounds, own, START, {"a"}, 4) == ["b"]
    assert failing_looks(rounds, own, START, set(), 4) == ["a"]
    assert own["checks"]["over"]
    assert own["checks"]["behind"] == []


def test_whoever_is_told_to_stop_has_not_failed() -> None:
    """A stop in the middle of an answer says nothing about the post."""
    rounds = Rechecks("p", Shelf(["a"]), HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    for _ in range(5):
        due = rounds.due(own, START)
        with pytest.raises(Stopped), rounds.looking(own, due):
            raise Stopped("stopped")
    assert rounds.due(own, START) == ["a"]


def test_how_it_stands_is_read_from_the_cursor() -> None:
    """Outside of the source's process, too; a cursor of anything else tells nothing."""
    rounds = Rechecks("p", Shelf(["a", "b"]), HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    looked(rounds, own, lambda: START, 1)
    later = START + timedelta(minutes=1)
    looked(rounds, own, lambda: later, 1)
    cursor = json.dumps({"places": {}, "spent": {}, "own": own})
    assert checked(cursor) == Checked(START, later, False)
    for other in ("", "17", "[]", '{"own": {}}', '{"own": {"checks": {"began": "soon"}}}'):
        assert checked(other) is None


def test_a_place_of_an_earlier_version_is_read() -> None:
    """Cursors outlive programs."""
    rounds = Rechecks("p", Shelf(["a", "b", "c"]), HOUR, 24 * HOUR)
    began = int(START.timestamp() * 1e6)
    for more in ({}, {"marks": [["a", began]], "was": []}):
        own: dict[str, Any] = {"checks": {"began": began, "after": "a", "over": False, **more}}
        assert looked(rounds, own, lambda: START, 2) == ["b", "c"]
