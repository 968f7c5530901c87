"""X on this machine, and the token that it wants."""

from collections.abc import Iterator

import pytest

from pipeline.clock import ManualClock
from tests.contracts.listening import START
from tests.servers import x
from tests.servers.platform import served


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def platform(clock: ManualClock) -> Iterator[x.X]:
    with served(x.X(clock)) as running:
        yield running


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_X", "a-token")
