"""Facebook's webhook: what happens on our pages, the moment it happens, with edits and deletes.

The app is subscribed to the fields ``feed`` and ``mention`` of its pages. Facebook first asks
whether the address is ours (``hub.challenge``), then sends changes signed with the app's secret,
and sends them again for a day and a half unless it hears 200.
"""

import hmac
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from collectors.facebook_things import change
from collectors.kit.budget import Budget, Window
from collectors.kit.inbox import Inbox
from collectors.kit.polling import Value
from collectors.kit.secret import Variable, secret
from collectors.times import from_us
from pipeline.decoding import load
from pipeline.errors import SetAside
from pipeline.ports import Clock, Item, Unreadable

#: Facebook puts up to so many changes into one delivery.
MOST_CHANGES: Final = 1_000
MOST_BYTES: Final = 4 * 1_048_576
KEPT: Final = 64 * 1024
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
    per_minute: int = Field(600, ge=1, description="Most deliveries within a minute.")


class FacebookHook:
    """What is pushed to one address. ``totals`` counts deliveries by what was answered."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        secret_from: str,
        verify_from: str,
        pages: tuple[str, ...] = (),
        tracks: tuple[str, ...] = (),
        per_minute: int = 600,
    ) -> None:
        self.name = name
        self.most_bytes = MOST_BYTES
        self._clock = clock
        self._key = secret(name, "secret_from", secret_from).get_secret_value().encode()
        self._word = secret(name, "verify_from", verify_from).get_secret_value().encode()
        self._pages = frozenset(pages)
        self._tracks = tuple(tracks)
        self._budget = Budget(Window(per_minute, timedelta(minutes=1)))
        self._guard = threading.Lock()
        self._inbox = Inbox(name, clock)
        self.totals: Counter[str] = Counter()

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``."""
        return self._inbox.items(cursor, stop)

    def challenge(self, params: Mapping[str, str]) -> str | None:
        """What to answer to Facebook's question whether this address is ours; None: it is not."""
        word = params.get("hub.verify_token", "").encode()
        challenge = params.get("hub.challenge", "")
        is_right = hmac.compare_digest(word, self._word) and params.get("hub.mode") == "subscribe"
        return challenge if is_right and _CHALLENGE.fullmatch(challenge) else None

    def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, float | None]:
        """Takes one delivery: status, one line, and after how many seconds to come back.

        Blocks until the broker has it, up to four seconds.
        """
        answer = self._received(headers, body)
        self.totals[str(answer[0])] += 1
        return answer

    def _received(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, float | None]:
        if len(body) > self.most_bytes:
            return 413, f"more than {self.most_bytes:,} bytes", None
        # Of the bytes as they came: Facebook escapes what is not ASCII before it signs.
        signed = "sha256=" + hmac.digest(self._key, body, "sha256").hex()
        if not hmac.compare_digest(signed.encode(), headers.get(SIGNATURE, "").encode()):
            return 401, "wrong signature", None
        with self._guard:
            if (wait := self._budget.wait(self._clock.now())) > 0:
                return 429, "too many deliveries", wait
            self._budget.take(self._clock.now())
        try:
            values = list(self._values(load(body)))
        except SetAside as reason:
            return 400, str(reason), None
        # A delivery has no id: one that is sent again has the same bytes.
        if not values or self._inbox.put(xxhash.xxh3_128_hexdigest(body), values):
            return 200, "taken", None
        return 503, "not safe yet: send it again", 5.0

    def _values(self, told: Any) -> Iterator[Value]:
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
            data = orjson.dumps(one)[:KEPT]
            yield Unreadable(data, str(reason), f"change {xxhash.xxh3_64_hexdigest(data)}")
            return
        if found is not None:
            yield found


def _at(told: Any, now: datetime) -> datetime:
    """When a change was made; our time where Facebook does not say, or says a later one."""
    if type(told) not in {int, float} or not 0 < told < 1e14:
        return now
    return min(now, from_us(int(told * (1e6 if told < _SECONDS_TO else 1e3))))
