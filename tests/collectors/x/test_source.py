"""X over a local server, through tweepy: search, look-ups, money; the stream has its own file."""

from datetime import datetime, timedelta

import pytest

from pipeline.clock import ManualClock
from tests.collectors.x.stage import source
from tests.contracts.listening import Stage
from tests.contracts.platform import PlatformContract
from tests.servers import x


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
