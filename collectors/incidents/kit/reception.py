"""Deliveries of incident tools: verified, read into pieces, and accepted once they are safe.

What is signed rightly is answered with 2xx even where it makes no sense: it becomes a dead letter.
Tools take other answers for a fault of ours, some stop sending after a few of them, and none would
make sense of it the next time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import SecretStr

from collectors.incidents.kit.signing import Scheme, bearer
from collectors.kit.polling import Value
from collectors.kit.receiving import Receiver
from collectors.kit.secret import secret
from collectors.kit.signature import key_of, verified
from collectors.kit.unreadable import unreadable
from pipeline.decoding import load
from pipeline.errors import Misuse, SetAside
from pipeline.model import Incident
from pipeline.ports import Clock

# The bound of a delivery is the kit's: PagerDuty's end at 256 KB.

#: Gives a delivery's name; raises SetAside for one that is not signed rightly.
Verify: TypeAlias = Callable[[Mapping[str, str], bytes, datetime], str]
#: Gives the pieces that a delivery tells of; raises SetAside for one that makes no sense.
Read: TypeAlias = Callable[[Any], Iterable[Incident]]


class Reception(Receiver):
    """What is pushed to one source of incidents."""

    def __init__(self, name: str, clock: Clock, verify: Verify, read: Read) -> None:
        super().__init__(name, clock)
        self._verify = verify
        self._read = read

    def verified(self, headers: Mapping[str, str], body: bytes) -> str:
        """See ``Receiver``."""
        return self._verify(headers, body, self._clock.now())

    def values(self, number: str, body: bytes) -> Sequence[Value]:
        """See ``Receiver``: pieces of incidents, or the dead letter that it is."""
        try:
            return list(self._read(load(body)))
        except SetAside as reason:
            return [unreadable(body, reason, f"delivery {number}")]


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
