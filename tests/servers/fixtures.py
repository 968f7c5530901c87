"""How tests get their servers: never skipped in CI, elsewhere skipped aloud."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from tests.servers.server import CannotStartError, Server

T = TypeVar("T")
S = TypeVar("S", bound=Server)


def made(make: Callable[[], T], what: str) -> T:
    """What ``make`` makes; where the machine lacks something: skipped aloud, in CI a failure."""
    try:
        return make()
    except CannotStartError as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{what} NOT tested: {reason}")


@contextmanager
def served(make: Callable[[], S], what: str) -> Iterator[S]:
    """A server that runs from entering the context to leaving it."""
    server = made(make, what)
    try:
        server.start()
        yield server
    finally:
        server.stop()
