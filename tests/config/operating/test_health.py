"""Health and findings: what is told to machines, and what to a person at night."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.commands.status import screen
from config.operating import health
from config.operating.findings import FAR_BEHIND, NOT_YET, findings
from config.operating.health import live, ready
from config.operating.meters import Meters
from config.operating.watched import Watched
from pipeline.clock import ManualClock
from pipeline.errors import TryLater

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Idle:
    """A role that does nothing, or cannot."""

    def __init__(self, trouble: str | None = None) -> None:
        self._trouble = trouble

    def turn(self, timeout: float) -> int:
        if self._trouble is not None:
            raise TryLater(self._trouble)
        return 0

    def close(self) -> None:
        """Nothing to let go of."""


def meters(**roles: Watched) -> Meters:
    """A process with these roles."""
    return Meters(ManualClock(NOW), roles)


def watched(trouble: str | None = None, *, turned: bool = True) -> Watched:
    """A role that has turned once, well or not."""
    seen = Watched(Idle(trouble), ManualClock(NOW))
    if turned:
        try:
            seen.turn(0)
        except TryLater:
            assert trouble is not None
    return seen


def test_a_process_whose_roles_turn_lives() -> None:
    """Trouble with others is no reason to start a process anew."""
    assert live(meters(worker=watched(), store=watched("the warehouse is away"))).is_fine


def test_a_role_that_hangs_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with how long its round has taken."""
    monkeypatch.setattr(Watched, "turn_seconds", 900.0)
    told = live(meters(worker=watched()))
    assert not told.is_fine
    (stuck,) = told.told["stuck"]
    assert stuck["name"] == "worker"
    assert "900 s" in stuck["told"]
    # A first round may take what it takes.
    assert live(meters(worker=watched(turned=False))).is_fine
    assert health.STUCK_SECONDS < 900


def test_readiness_names_what_is_away() -> None:
    """Each part that is not ready has its reason and what to mend."""
    known = meters(worker=watched(), store=watched("the warehouse is away"))

    class Away:
        def lag(self, group: str) -> dict[str, int]:
            raise TryLater("no broker at 127.0.0.1:9")

    known.watch_broker(Away())  # type: ignore[arg-type]  # only its lag is asked for
    told = ready(known, is_complete=True)
    assert not told.is_fine
    away = {check["name"]: check["told"] for check in told.told["checks"] if not check["ok"]}
    assert away == {"broker": "no broker at 127.0.0.1:9", "store": "the warehouse is away"}
    assert all(check["ok"] or check["mend"] for check in told.told["checks"])


def test_a_process_is_not_ready_before_it_is_complete() -> None:
    """Neither while its parts are made nor before each had its first round."""
    assert not ready(meters(), is_complete=False).is_fine
    assert not ready(meters(worker=watched(turned=False)), is_complete=True).is_fine
    assert ready(meters(worker=watched()), is_complete=True).is_fine


# ---- findings ------------------------------------------------------------------------------------


def report(**changes: Any) -> dict[str, Any]:
    """A report in which all is well, but for the changes."""
    well: dict[str, Any] = {
        "at": NOW,
        "state": "running",
        "checks": [],
        "groups": {"worker": {}, "store": {}, "watch": {}},
        "still": [],
        "ages": {"mentions": 9, "received_p50": 0.2, "received_p99": 0.9}
        | {"said_p50": 2.0, "said_p99": 9.0},
        "warehouse": {"mentions": 9, "bytes": 10**6, "written_at": NOW}
        | {"incidents_open": 1, "proposals_open": 0},
        "deadletters": {"count": 0, "newest_at": None, "reasons": []},
        "sources": [source()],
    }
    return well | changes


def source(**changes: Any) -> dict[str, Any]:
    """A source that is read, but for the changes."""
    well = {"name": "bluesky", "type": "bluesky", "state": "listening", "trouble": None}
    return well | {"cursor_at": NOW, "read_to": NOW, "gaps": []} | changes


GAP = {"from_at": NOW - timedelta(minutes=7), "to_at": NOW, "cause": "look-back exceeded"}
STOPPED = GAP | {"cause": "stopped"}
DEAD = {"count": 2, "newest_at": NOW - timedelta(hours=1), "reasons": []}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, []),
        ({"state": "not running"}, ["nothing runs here"]),
        ({"state": "silent"}, ["the running process does not answer"]),
        (
            {"checks": [{"name": "store", "told": "the disk is full", "mend": "make room"}]},
            ["store: the disk is full"],
        ),
        ({"groups": {"trouble": "no broker at a:1"}}, ["broker: no broker at a:1"]),
        ({"groups": {"trouble": NOT_YET}, "warehouse": {"trouble": NOT_YET}}, []),
        ({"groups": {"worker": {"mentions": FAR_BEHIND}}}, []),
        (
            {"groups": {"worker": {"mentions": FAR_BEHIND + 1}}},
            ["worker is 10,001 records behind"],
        ),
        (
            {"groups": {"store": {"feedback": 3, "links": 4}}, "still": ["store"]},
            ["store stands still with 7 records waiting"],
        ),
        (
            {"state": "not running", "groups": {"worker": {"mentions": 5}}},
            ["nothing runs here", "waiting for worker: 5 records"],
        ),
        ({"ages": {"received_p50": 61.0}}, ["posts take 61 s from receiving to the warehouse"]),
        (
            {"ages": {"received_p50": 9e6}, "sources": [source(type="recorded")]},
            [],
        ),
        ({"deadletters": DEAD}, ["2 records could not be read"]),
        ({"deadletters": DEAD | {"newest_at": NOW - timedelta(days=2)}}, []),
        # It stood still before it was started again, and listens.
        ({"sources": [source(gaps=[STOPPED], read_to=None)]}, []),
        (
            {"sources": [source(gaps=[STOPPED], read_to=None, state="stopped")]},
            ["bluesky is blind now: stopped"],
        ),
        ({"sources": [source(state="not read")]}, ["bluesky is not being read"]),
        (
            {"sources": [source(gaps=[GAP], read_to=GAP["from_at"])]},
            ["bluesky is blind now: look-back exceeded"],
        ),
        (
            {"sources": [source(silence="nothing came for 9.0 h, where 60.0 an hour are usual")]},
            ["bluesky: nothing came for 9.0 h, where 60.0 an hour are usual"],
        ),
        # What is over cannot be mended.
        ({"sources": [source(gaps=[GAP], read_to=NOW)]}, []),
    ],
)
def test_what_is_to_be_mended_is_found(changes: dict[str, Any], what: list[str]) -> None:
    """Each finding says what is wrong and what to do; nothing wrong is no finding."""
    found = findings(report(**changes))
    assert [each["what"] for each in found] == what
    assert all(each["mend"] for each in found)


def test_the_screen_obeys_nobody() -> None:
    """Control characters in what came from outside are shown, not sent; gaps have their times."""
    nasty = "\x1b]0;owned\x07 \u202e"
    told = report(
        at=NOW.isoformat(),
        sources=[source(name=nasty, trouble=nasty, cursor_at=None, gaps=[])],
        findings=[{"what": nasty, "mend": nasty}],
    )
    told["warehouse"]["written_at"] = NOW.isoformat()
    gap = {name: at.isoformat() for name, at in GAP.items() if isinstance(at, datetime)}
    told["sources"][0]["gaps"] = [gap | {"cause": "look-back exceeded"}] * 5
    told["sources"][0]["spend"] = {"cost_today": 0.123, "cost_month": 4.0}
    lines = list(screen(told))
    assert all(character.isprintable() for line in lines for character in line)
    text = "\n".join(lines)
    assert "blind from Mar 02 08:53 UTC to Mar 02 09:00 UTC (look-back exceeded)" in text
    assert "and 2 more gaps" in text
    assert "spent 0.12 today, 4.00 this month" in text
    assert "1 open, 0 proposed" in text
