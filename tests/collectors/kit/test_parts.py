"""Money, silence, re-checks, refusals, text out of HTML, policies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.breaker import Breaker
from collectors.kit.markup import plain
from collectors.kit.money import Price, Purse
from collectors.kit.policy import policy
from collectors.kit.rechecks import Rechecks
from collectors.kit.silence import Silence
from pipeline.errors import GiveUp, TryLater

START = datetime(2026, 3, 2, tzinfo=UTC)


@given(
    steps=st.lists(st.tuples(st.floats(0, 200), st.integers(0, 100)), max_size=80),
    spread=st.booleans(),
)
def test_no_day_and_no_month_costs_more_than_its_cap(
    steps: list[tuple[float, int]], spread: bool
) -> None:
    """Whatever pages hold, up to the most that was counted before."""
    purse = Purse(Price(0.005, 2.0, 9.0, spread))
    now = START
    for minutes, reads in steps:
        now += timedelta(minutes=minutes)
        if purse.wait(now, 100) <= 0:
            purse.take(now, 100)
            purse.take(now, reads - 100)
        day, month = purse.spent(now)
        assert day <= 2.0 + 1e-9
        assert month <= 9.0 + 1e-9


def test_the_second_half_of_a_day_s_cap_is_spread_over_the_day() -> None:
    """An expensive night does not leave the day blind."""
    purse = Purse(Price(1.0, 100.0, 3_000.0))
    purse.take(START, 50)
    assert purse.wait(START, 10) == pytest.approx(0.2 * 86_400)
    assert purse.wait(START + timedelta(hours=12), 10) == 0


def test_what_was_spent_is_known_after_a_restart() -> None:
    """The cursor says it; a new day begins at nothing, a month goes on."""
    purse = Purse(Price(1.0, 10.0, 12.0, spread=False))
    purse.take(START, 10)
    again = Purse(Price(1.0, 10.0, 12.0, spread=False))
    again.recall(purse.reads)
    assert again.wait(START, 1) == 86_400
    assert again.wait(START + timedelta(days=1), 2) == 0
    assert again.wait(START + timedelta(days=1), 3) > 0


def test_silence_is_strange_only_against_the_usual_rate() -> None:
    """Where something comes every minute, an hour is too long; where once a day, it is not."""
    busy, calm, now = Silence(), Silence(), START
    for minute in range(24 * 60):
        now = START + timedelta(minutes=minute)
        busy.looked(now, has_come=True)
        calm.looked(now, has_come=minute % (12 * 60) == 0)
    later = now + timedelta(hours=1)
    assert "60.0 an hour are usual" in str(busy.trouble(later))
    assert calm.trouble(later) is None
    again = Silence()
    again.recall(busy.state)
    assert again.trouble(later) is not None


def test_a_rate_in_the_settings_needs_no_learning() -> None:
    """Whoever knows how much is to be expected says so."""
    told = Silence(per_hour=60)
    told.looked(START, has_come=False)
    assert told.trouble(START + timedelta(minutes=5)) is None
    assert told.trouble(START + timedelta(hours=1)) is not None


def test_all_that_is_held_is_looked_at_once_a_round() -> None:
    """A restart goes on where it was; the next round begins when it is due."""
    numbers = [f"{n:03}" for n in range(50)]

    def held(_platform: str, since: datetime, after: str, most: int) -> list[str]:
        assert since == now - timedelta(days=3)
        return [number for number in numbers if number > after][:most]

    rounds = Rechecks("p", held, timedelta(hours=6), timedelta(days=3))
    own: dict[str, Any] = {}
    now, seen = START, []
    for _ in range(10):
        for number in rounds.due(own, now):
            seen.append(number)
            rounds.done(own, number)
    assert seen == numbers
    now += timedelta(hours=6)
    assert list(rounds.due(own, now)) == numbers[:20]


def test_three_refusals_in_a_row_are_meant() -> None:
    """One that was a mistake is forgotten; without a credential there is nothing to mend."""
    breaker = Breaker("acme", "token")
    assert isinstance(breaker.refused("host", 401), TryLater)
    assert isinstance(breaker.refused("host", 401), TryLater)
    breaker.accepted()
    for _ in range(2):
        assert isinstance(breaker.refused("host", 403), TryLater)
    last = breaker.refused("host", 401)
    assert isinstance(last, GiveUp)
    assert "mend `token`" in str(last)
    assert all(isinstance(Breaker("acme").refused("host", 401), TryLater) for _ in range(9))


def test_html_becomes_the_text_a_reader_sees() -> None:
    """Paragraphs, breaks, entities; no scripts, no addresses of other kinds."""
    html = (
        "<p>It&#39;s <b>down</b><br>again</p><script>bad()</script>"
        '<p>see <a href="https://acme.example/1">here</a><a href="javascript:x">x</a></p>'
    )
    assert plain(html) == ("It's down\nagain\n\nsee herex", ("https://acme.example/1",))


@given(st.text())
def test_any_text_is_read_as_html(text: str) -> None:
    """Nothing that a platform sends makes it fall over, and links lead to the web only."""
    words, links = plain(text)
    assert words == words.strip()
    assert all(link.startswith(("http://", "https://")) for link in links)


def test_policies_say_what_may_be_learned_from() -> None:
    """Reddit says no; what nobody listed is not learned from."""
    assert not policy("reddit").may_train
    assert not policy("never heard of").may_train
    assert policy("bluesky").may_train


def test_a_bill_is_told_once_and_again_when_it_has_changed() -> None:
    """By day; what was given back makes it smaller."""
    purse = Purse(Price(0.5, 100.0, 300.0))
    purse.take(START, 100)
    [told] = purse.bill("x", START)
    assert (told.key, told.reads, told.cost) == ("x|2026-03-02", 100, 50.0)
    assert purse.bill("x", START) == []
    purse.take(START, -90)
    [less] = purse.bill("x", START + timedelta(hours=1))
    assert (less.reads, less.cost, less.at) == (10, 5.0, START + timedelta(hours=1))
    purse.take(START + timedelta(days=1), 1)
    assert [each.key for each in purse.bill("x", START)] == ["x|2026-03-03"]
