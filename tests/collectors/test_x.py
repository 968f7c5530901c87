"""X over a local server, through tweepy: search, look-ups, money; the stream has its own file."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from collectors.x import X
from pipeline.clock import ManualClock
from pipeline.tracks import Track
from tests.contracts.platform import START, PlatformContract, Stage
from tests.servers import x
from tests.servers.platform import served

ACME = Track(name="acme", terms=("acme",), handles=("acmehelp",), hashtags=("acmedown",))
#: So much money that it is no matter.
RICH = {"most_a_day": 1e9, "most_a_month": 1e9}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def platform(clock: ManualClock) -> Iterator[x.X]:
    with served(x.X(clock)) as running:
        yield cast(x.X, running)


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_X", "a-token")


def source(platform: x.X, clock: ManualClock, **more: Any) -> X:
    told: dict[str, Any] = {"tracks": [ACME], "token_from": "ACME_X", "stream": False}
    return X("x", clock, url=platform.url, **(told | RICH | more))


class TestContract(PlatformContract):
    """X's search keeps the contract of platforms; no stream is needed for that."""

    kind = "x"

    @pytest.fixture
    def stage(self, platform: x.X, clock: ManualClock) -> Stage:
        ids: dict[int, str] = {}

        def post(number: int, at: datetime) -> None:
            ids[number] = platform.post(number, at, f"Acme is down post {number}")["id"]

        def held(_platform: str, since: datetime, after: str, most: int) -> list[str]:
            return sorted(number for number in ids.values() if number > after)[:most]

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock, held=held),
            page=100,
            spoil=lambda number: platform.posts[ids[number]].update(text="x" * 1_100_000),
            remove=lambda number: platform.remove(ids[number]),
            setting="token_from",
            calls=(60, timedelta(minutes=15)),
        )
