"""Who sent a webhook: the ways in which incident tools sign what they send.

Nearly all of them make HMAC-SHA256 over the body and a few things more, and differ in the header,
in what is signed, and in whether a time is part of it. A way of signing is data; Standard Webhooks
and Svix have their own module in the kit.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from collectors.kit.signature import MOST_SIGNATURES, TOLERANCE
from pipeline.errors import SetAside

#: What a header may name a signature; the plain value is one too.
_NAMES: Final = frozenset({"v1", "sha256", ""})
_PART = re.compile(r"(?:([a-z0-9]{1,8})=)?([0-9A-Za-z+/=_.-]+)", re.ASCII)
_LONGEST: Final = 4_096
PLACES: Final = ("{body}", "{body_sha256}", "{timestamp}")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of signing, with HMAC-SHA256 in hexadecimal digits.

    ``header`` carries ``v1=…``, ``sha256=…`` or the bare digits, several with commas between while
    a secret is being replaced, and ``t=…`` where a time is signed; ``timestamp_header`` carries the
    time instead. ``signed`` says what is signed: ``{body}``, ``{body_sha256}`` (hexadecimal) and
    ``{timestamp}`` with anything between. ``identity`` is the header that names a delivery.
    """

    header: str
    signed: str = "{body}"
    timestamp_header: str | None = None
    identity: str | None = None

    def verified(
        self, keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
    ) -> str:
        """The name of a delivery that is signed with one of the keys. Raises SetAside.

        Without a name of its own it is called after its content.
        """
        given, timestamp = self._given(headers)
        if "{timestamp}" in self.signed:
            _in_time(timestamp, now)
        message = self._message(body, timestamp)
        wanted = [hmac.new(key, message, hashlib.sha256).hexdigest().encode() for key in keys]
        # Every pair is compared, so that the time taken tells nothing.
        matches = [
            hmac.compare_digest(ours, theirs.casefold().encode())
            for ours in wanted
            for theirs in given[:MOST_SIGNATURES]
        ]
        if not any(matches):
            raise SetAside("wrong signature")
        named = headers.get(self.identity, "") if self.identity else ""
        return named[:256] or hashlib.sha256(message).hexdigest()

    def sign(self, key: bytes, body: bytes, at: datetime) -> dict[str, str]:
        """The headers that sign a message: for senders, and tests."""
        told = str(int(at.timestamp()))
        made = hmac.new(key, self._message(body, told), hashlib.sha256).hexdigest()
        if self.timestamp_header:
            return {self.header: made, self.timestamp_header: told}
        return {
            self.header: f"t={told},v1={made}" if "{timestamp}" in self.signed else f"v1={made}"
        }

    def _given(self, headers: Mapping[str, str]) -> tuple[list[str], str]:
        """The signatures and the time that the headers carry."""
        told = headers.get(self.header, "")[:_LONGEST]
        if not told:
            raise SetAside(f"wants {self.header}")
        timestamp = headers.get(self.timestamp_header, "") if self.timestamp_header else ""
        signatures = []
        for part in told.split(","):
            found = _PART.fullmatch(part.strip())
            if found is None:
                continue
            if found[1] == "t" and not timestamp:
                timestamp = found[2]
            elif (found[1] or "") in _NAMES:
                signatures.append(found[2])
        return signatures, timestamp

    def _message(self, body: bytes, timestamp: str) -> bytes:
        parts = re.split(r"(\{body\}|\{body_sha256\}|\{timestamp\})", self.signed)
        values = {
            "{body}": body,
            "{body_sha256}": hashlib.sha256(body).hexdigest().encode(),
            "{timestamp}": timestamp.encode(),
        }
        return b"".join(values.get(part, part.encode()) for part in parts)


def bearer(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> str:
    """The name of a delivery that carries one of the tokens. Raises SetAside.

    For tools that cannot sign: ``Authorization: Bearer TOKEN``, or the token alone.
    """
    token = headers.get("authorization", "")[:_LONGEST].removeprefix("Bearer ").strip().encode()
    if not any([hmac.compare_digest(key, token) for key in keys]):  # noqa: C419  # all of them
        raise SetAside("wrong token")
    return hashlib.sha256(body).hexdigest()


def _in_time(told: str, now: datetime) -> None:
    """Raises SetAside for what was signed too long ago: it may have been recorded."""
    if not (told.isascii() and told.isdecimal() and len(told) <= 12):
        raise SetAside("wants the time of signing, in seconds since 1970")
    if abs(now.timestamp() - int(told)) > TOLERANCE.total_seconds():
        raise SetAside("signed too long ago, or in the future: is a clock wrong?")
