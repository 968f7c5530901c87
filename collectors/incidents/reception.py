"""Deliveries of incident tools: verified, read into pieces, and accepted once they are safe.

What is signed rightly is answered with 2xx even where it makes no sense: it becomes a dead letter.
Tools take other answers for a fault of ours, some stop sending after a few of them, and none would
make sense of it the next time.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from pydantic import SecretStr

from collectors.incidents.signing import Scheme, bearer
from collectors.kit.budget import Budget, Window
from collectors.kit.inbox import Inbox
from collectors.kit.polling import Value
from collectors.kit.secret import secret
from collectors.kit.signature import key_of, verified
from pipeline.decoding import load
from pipeline.errors import Misuse, SetAside
from pipeline.model import Incident
from pipeline.ports import Clock, Unreadable

#: PagerDuty's deliveries end at 256 KB; an incident with all its updates may have more.
MOST_BYTES: Final = 1_048_576
PER_MINUTE: Final = 600
KEPT: Final = 64 * 1024

#: Gives a delivery's name; raises SetAside for one that is not signed rightly.
Verify: TypeAlias = Callable[[Mapping[str, str], bytes, datetime], str]
#: Gives the pieces that a delivery tells of; raises SetAside for one that makes no sense.
Read: TypeAlias = Callable[[Any], Iterable[Incident]]


class Reception:
    """What is pushed to one source. ``totals`` counts deliveries by what was answered."""

    def __init__(self, name: str, clock: Clock, verify: Verify, read: Read) -> None:
        self.inbox = Inbox(name, clock)
        self.totals: Counter[str] = Counter()
        self._clock = clock
        self._verify = verify
        self._read = read
        self._budget = Budget(Window(PER_MINUTE, timedelta(minutes=1)))
        self._guard = threading.Lock()

    def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, float | None]:
        """Takes one delivery: status, one line, and after how many seconds to come back.

        Blocks until the broker has it, up to four seconds.
        """
        answer = self._received(headers, body)
        self.totals[str(answer[0])] += 1
        return answer

    def _received(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, float | None]:
        if len(body) > MOST_BYTES:
            return 413, f"more than {MOST_BYTES:,} bytes", None
        try:
            number = self._verify(headers, body, self._clock.now())
        except SetAside as reason:
            return 401, str(reason), None
        with self._guard:
            if (wait := self._budget.wait(self._clock.now())) > 0:
                return 429, "too many deliveries", wait
            self._budget.take(self._clock.now())
        values = self._values(number, body)
        if not values:
            return 200, "nothing in it is kept", None
        if self.inbox.put(number, values):
            return 200, "taken", None
        return 503, "not safe yet: send it again", 5.0

    def _values(self, number: str, body: bytes) -> Sequence[Value]:
        try:
            return list(self._read(load(body)))
        except SetAside as reason:
            return [Unreadable(body[:KEPT], str(reason), f"delivery {number}")]


def signed(name: str, secret_from: str, scheme: Scheme) -> Verify:
    """Verifies by the secret in a variable: several, with spaces between, while it is replaced.

    Raises Misuse when the variable is not set.
    """
    keys = [part.encode() for part in _secrets(name, secret_from)]
    return lambda headers, body, now: scheme.verified(keys, headers, body, now)


def standard(name: str, secret_from: str, prefix: str = "webhook") -> Verify:
    """Verifies by Standard Webhooks; ``prefix`` is ``svix`` for those who kept the old names.

    Raises Misuse when the variable is not set or holds no secret of that form.
    """
    try:
        keys = [key_of(SecretStr(part)) for part in _secrets(name, secret_from)]
    except ValueError as error:
        raise Misuse(f"{name}: {secret_from}: {error}") from error
    return lambda headers, body, now: verified(keys, headers, body, now, prefix)


def token(name: str, secret_from: str) -> Verify:
    """Verifies by a token that the sender is told to send. Raises Misuse as ``signed`` does."""
    keys = [part.encode() for part in _secrets(name, secret_from)]
    return lambda headers, body, _now: bearer(keys, headers, body)


def _secrets(name: str, secret_from: str) -> list[str]:
    return secret(name, "secret_from", secret_from).get_secret_value().split()
