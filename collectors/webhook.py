"""Webhook: whoever knows the secret may push mentions and removals, signed by Standard Webhooks.

``POST /api/hooks/NAME`` on the page's server takes one word or a list of them, bare or as the
standard's ``{"type", "timestamp", "data"}``. The answer is 2xx only when the broker has them all;
every other answer but 400 and 401 asks the sender to repeat.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import orjson
import xxhash
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from collectors.kit.budget import Budget, Window
from collectors.kit.inbox import Inbox
from collectors.kit.polling import Value
from collectors.kit.secret import Variable, secret
from collectors.kit.signature import key_of, verified
from pipeline.decoding import check, load
from pipeline.errors import Misuse, SetAside
from pipeline.model import Mention, Removal
from pipeline.ports import Clock, Item, Unreadable

#: The most words in one delivery.
MOST_WORDS: Final = 1_000
KEPT: Final = 64 * 1024


class WebhookSettings(BaseModel):
    """Mentions that somebody pushes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Its name, the last part of its address."
    )
    secret_from: Variable = Field(
        description="The environment variable with the secret (whsec_…); two, with a space "
        "between, while it is being replaced."
    )
    platform: str = Field(
        "webhook", pattern=r"^[^:\s]{1,64}$", description="What stands as source on its mentions."
    )
    tracks: tuple[str, ...] = Field((), description="Whom all of it is about; none: by its text.")
    most_bytes: int = Field(1_048_576, ge=1_024, le=16_777_216, description="Largest delivery.")
    per_minute: int = Field(600, ge=1, description="Most deliveries within a minute.")


class Webhook:
    """What is pushed to one address. ``totals`` counts deliveries by what was answered."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        secret_from: str,
        platform: str = "webhook",
        tracks: tuple[str, ...] = (),
        most_bytes: int = 1_048_576,
        per_minute: int = 600,
    ) -> None:
        self.name = name
        self.most_bytes = most_bytes
        self._clock = clock
        self._platform = platform
        self._tracks = tuple(tracks)
        try:
            given = secret(name, "secret_from", secret_from).get_secret_value()
            self._keys = [key_of(SecretStr(part)) for part in given.split()]
        except ValueError as error:
            raise Misuse(f"{name}: {secret_from}: {error}") from error
        self._budget = Budget(Window(per_minute, timedelta(minutes=1)))
        self._guard = threading.Lock()
        self._inbox = Inbox(name, clock)
        self.totals: Counter[str] = Counter()

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``."""
        return self._inbox.items(cursor, stop)

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
        try:
            number = verified(self._keys, headers, body, self._clock.now())
        except SetAside as reason:
            return 401, str(reason), None
        with self._guard:
            if (wait := self._budget.wait(self._clock.now())) > 0:
                return 429, "too many deliveries", wait
            self._budget.take(self._clock.now())
        try:
            values = self._values(body)
        except SetAside as reason:
            return 400, str(reason), None
        if self._inbox.put(number, values):
            return 200, "taken", None
        return 503, "not safe yet: send it again", 5.0

    def _values(self, body: bytes) -> list[Value]:
        """The words of a delivery. Raises SetAside when it is none."""
        told = load(body)
        if isinstance(told, dict) and "data" in told and "type" in told:
            told = told["data"]
        words = told if isinstance(told, list) else [told]
        if not words or len(words) > MOST_WORDS:
            raise SetAside(f"wants from 1 to {MOST_WORDS:,} words")
        if len(words) == 1:
            return [self._word(words[0])]
        return [self._word_or_letter(word) for word in words]

    def _word_or_letter(self, told: Any) -> Value:
        """One word of several; the others must not be lost for it."""
        try:
            return self._word(told)
        except SetAside as reason:
            data = orjson.dumps(told)[:KEPT]
            origin = f"word {xxhash.xxh3_64_hexdigest(data)}"
            return Unreadable(data, str(reason), origin)

    def _word(self, told: Any) -> Mention | Removal:
        """A mention or a removal of this platform: nobody speaks for another. Raises SetAside."""
        if not isinstance(told, dict):
            raise SetAside("a word is a JSON object, this is not")
        if "removal" in told:
            number = str(told["removal"]).removeprefix(f"{self._platform}:")
            own = {"removal": f"{self._platform}:{number}"}
            return check(Removal, {"at": self._clock.now(), **told, **own})
        given: dict[str, Any] = {"said_at": self._clock.now()} | told
        given |= {"source": self._platform, "seen_at": self._clock.now()}
        if self._tracks:
            given["tracks"] = self._tracks
        return check(Mention, given)
