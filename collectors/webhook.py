"""Webhook: whoever knows the secret may push mentions and removals, signed by Standard Webhooks.

``POST /api/hooks/NAME`` on the page's server takes one word or a list of them, bare or as the
standard's ``{"type", "timestamp", "data"}``. The answer is 2xx only when the broker has them all;
every other answer but 400 and 401 asks the sender to repeat.
"""

from collections.abc import Mapping
from typing import Any, Final

import xxhash
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from collectors.kit.polling import Value
from collectors.kit.receiving import MOST_BYTES, PER_MINUTE, Receiver
from collectors.kit.secret import Variable, secret
from collectors.kit.signature import key_of, verified
from collectors.kit.unreadable import kept
from pipeline.decoding import check, load
from pipeline.errors import Misuse, SetAside
from pipeline.model import Mention, Removal
from pipeline.ports import Clock, Unreadable

#: What stands on mentions unless the settings say otherwise.
PLATFORM: Final = "webhook"
#: The most words in one delivery.
MOST_WORDS: Final = 1_000


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
        PLATFORM,
        pattern=r"^[^:\s]{1,64}$",
        description="What stands as source on its mentions; of two webhooks, each wants its own.",
    )
    tracks: tuple[str, ...] = Field((), description="Whom all of it is about; none: by its text.")
    most_bytes: int = Field(MOST_BYTES, ge=1_024, le=16_777_216, description="Largest delivery.")
    per_minute: int = Field(PER_MINUTE, ge=1, description="Most deliveries within a minute.")


class Webhook(Receiver):
    """Mentions and removals that others push to us."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        secret_from: str,
        platform: str = PLATFORM,
        tracks: tuple[str, ...] = (),
        most_bytes: int = MOST_BYTES,
        per_minute: int = PER_MINUTE,
    ) -> None:
        super().__init__(name, clock, per_minute=per_minute, most_bytes=most_bytes)
        self._platform = platform
        self._tracks = tuple(tracks)
        try:
            given = secret(name, "secret_from", secret_from).get_secret_value()
            self._keys = [key_of(SecretStr(part)) for part in given.split()]
        except ValueError as error:
            raise Misuse(f"{name}: {secret_from}: {error}") from error

    def verified(self, headers: Mapping[str, str], body: bytes) -> str:
        """See ``Receiver``: signed by Standard Webhooks."""
        return verified(self._keys, headers, body, self._clock.now())

    def values(self, number: str, body: bytes) -> list[Value]:  # noqa: ARG002  # words have ids
        """See ``Receiver``: one word, or a list of them."""
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
            data = kept(told)
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
        if told.get("source", self._platform) != self._platform:
            raise SetAside(
                f"source: it is {self._platform!r} here, or left out; `platform` in the settings "
                "of the webhook names another"
            )
        given: dict[str, Any] = {"said_at": self._clock.now()} | told
        given |= {"source": self._platform, "seen_at": self._clock.now()}
        if self._tracks:
            given["tracks"] = self._tracks
        return check(Mention, given)
