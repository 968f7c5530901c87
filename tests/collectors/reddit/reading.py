"""What the tests of Reddit share: a source before a local Reddit, and what it brings."""

from datetime import timedelta
from typing import Any

from collectors.reddit.source import Reddit
from pipeline.clock import ManualClock
from pipeline.tracks import Track
from tests.contracts.listening import Listener
from tests.servers import reddit

ACME = Track(name="acme", terms=("acme",))


def source(platform: reddit.Reddit, clock: Any, **more: Any) -> Reddit:
    usual = {"subreddits": ["acme"], "search": False, "tracks": [ACME]}
    told: dict[str, Any] = {"client_id": "acme-app", "secret_from": "ACME_REDDIT_SECRET"}
    told |= {"url": platform.url, "oauth_url": platform.url, **usual, **more}
    return Reddit("reddit", clock, **told)


def heard(platform: reddit.Reddit, clock: ManualClock, **more: Any) -> Listener:
    return Listener(source(platform, clock, **more)).for_(timedelta(seconds=20), clock)


def holding(platform: reddit.Reddit, *extra: str) -> dict[str, Any]:
    """All that is there is held, and what is named besides."""
    held = [*platform.things, *extra]
    return {"held": lambda _p, _s, after, most: sorted(n for n in held if n > after)[:most]}
