"""X in tests: whom it is asked for, and a source before the local server."""

from datetime import timedelta
from typing import Any

from collectors.x.source import X
from pipeline.clock import ManualClock
from pipeline.tracks import Track
from tests.contracts.listening import Listener
from tests.servers import x

ACME = Track(name="acme", terms=("acme",), handles=("acmehelp",), hashtags=("acmedown",))
#: So much money that it is no matter.
RICH = {"most_a_day": 1e9, "most_a_month": 1e9}


def source(platform: x.X, clock: ManualClock, **more: Any) -> X:
    told: dict[str, Any] = {"tracks": [ACME], "token_from": "ACME_X", "stream": False}
    return X("x", clock, url=platform.url, **(told | RICH | more))


def look(platform: x.X, clock: ManualClock, **more: Any) -> Listener:
    """What two minutes bring."""
    return Listener(source(platform, clock, **more)).for_(timedelta(minutes=2), clock)
