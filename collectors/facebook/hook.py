"""Facebook's webhook: what happens on our pages, the moment it happens, with edits and deletes.

The app is subscribed to the fields ``feed`` and ``mention`` of its pages. Facebook first asks
whether the address is ours (``hub.challenge``), then sends changes signed with the app's secret,
and sends them again for a day and a half unless it hears 200.
"""

import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import xxhash
from pydantic import BaseModel, ConfigDict, Field

from collectors.facebook.things import change
from collectors.kit.polling import Value
from collectors.kit.receiving import PER_MINUTE, Receiver
from collectors.kit.secret import Variable, secret
from collectors.kit.times import from_us
from collectors.kit.unreadable import kept
from pipeline.decoding import load
from pipeline.errors import SetAside
from pipeline.ports import Clock, Unreadable

#: Facebook puts up to so many changes into one delivery.
MOST_CHANGES: Final = 1_000
MOST_BYTES: Final = 4 * 1_048_576
SIGNATURE: Final = "x-hub-signature-256"
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_FIELDS: Final = frozenset({"feed", "mention"})
#: Times above this are milliseconds, as some fields have them.
_SECONDS_TO: Final = 1e11


class FacebookHookSettings(BaseModel):
    """What Facebook pushes about pages of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Its name, the last part of its address."
    )
    secret_from: Variable = Field(
        description="The environment variable with the app's secret, by which Facebook signs."
    )
    verify_from: Variable = Field(
        description="The one with the word that was typed in as verify token."
    )
    pages: tuple[str, ...] = Field((), description="The pages' numbers; none: all of the app.")
    tracks: tuple[str, ...] = Field(min_length=1, description="Whom all of it is about.")
    per_minute: int = Field(PER_MINUTE, ge=1, description="Most deliveries within a minute.")


class FacebookHook(Receiver):
    """What Facebook pushes of pages of ours, as it happens."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        secret_from: str,
        verify_from: str,
        pages: tuple[str, ...] = (),
        tracks: tuple[str, ...] = (),
        per_minute: int = PER_MINUTE,
    ) -> None:
        super().__init__(name, clock, per_minute=per_minute, most_bytes=MOST_BYTES)
        self._key = secret(name, "secret_from", secret_from).get_secret_value().encode()
        self._word = secret(name, "verify_from", verify_from).get_secret_value().encode()
        self._pages = frozenset(pages)
        self._tracks = tuple(tracks)

    def challenge(self, params: Mapping[str, str]) -> str | None:
        """What to answer to Facebook's question whether this address is ours; None: it is not."""
        word = params.get("hub.verify_token", "").encode()
        challenge = params.get("hub.challenge", "")
        is_right = hmac.compare_digest(word, self._word) and params.get("hub.mode") == "subscribe"
        return challenge if is_right and _CHALLENGE.fullmatch(challenge) else None

    def verified(self, headers: Mapping[str, str], body: bytes) -> str:
        """See ``Receiver``. A delivery has no id: one that is sent again has the same bytes."""
        # Of the bytes as they came: Facebook escapes what is not ASCII before it signs.
        signed = "sha256=" + hmac.digest(self._key, body, "sha256").hex()
        if not hmac.compare_digest(signed.encode(), headers.get(SIGNATURE, "").encode()):
            raise SetAside("wrong signature")
        return xxhash.xxh3_128_hexdigest(body)

    def values(self, number: str, body: bytes) -> list[Value]:  # noqa: ARG002  # changes have ids
        """See ``Receiver``: the changes that are about posts and comments."""
        return list(self._changes(load(body)))

    def _changes(self, told: Any) -> Iterator[Value]:
        """The words of a delivery. Raises SetAside when it is none."""
        entries = told.get("entry") if isinstance(told, dict) else None
        if not isinstance(entries, list):
            raise SetAside("wants a list of entries")
        if told.get("object") != "page":
            return  # the app may be subscribed to more
        count = 0
        for entry in entries:
            changes = entry.get("changes") if isinstance(entry, dict) else None
            for one in changes if isinstance(changes, list) else ():
                count += 1
                if count > MOST_CHANGES:
                    raise SetAside(f"wants at most {MOST_CHANGES:,} changes")
                yield from self._change(entry, one)

    def _change(self, entry: Mapping[str, Any], one: Any) -> Iterator[Value]:
        page = str(entry.get("id"))
        if not isinstance(one, dict) or one.get("field") not in _FIELDS:
            return
        if self._pages and page not in self._pages:
            return
        now = self._clock.now()
        try:
            found = change(one.get("value"), _at(entry.get("time"), now), now, page, self._tracks)
        except SetAside as reason:
            data = kept(one)
            yield Unreadable(data, str(reason), f"change {xxhash.xxh3_64_hexdigest(data)}")
            return
        if found is not None:
            yield found


def _at(told: Any, now: datetime) -> datetime:
    """When a change was made; our time where Facebook does not say, or says a later one."""
    if type(told) not in {int, float} or not 0 < told < 1e14:
        return now
    return min(now, from_us(int(told * (1e6 if told < _SECONDS_TO else 1e3))))
