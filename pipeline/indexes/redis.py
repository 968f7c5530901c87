"""The index of repeats that several workers share, in Valkey or Redis (6.2 or newer).

``claims.lua`` does in the server what the memory index does in a worker, with the same answers;
here a batch is packed for it and its answers unpacked. A claim lives 72 h and the allowed lateness
by the time of the stream; what it took is given back when its age (96 h of stream time) is past, so
after 96 to 192 h. About 560 bytes a post once there are a few 100,000 (``bench.redis`` measures),
up to 1.5 million posts an age; beyond that, raise the server's ``hash-max-listpack-entries``.

Emptied or restarted, the server loses claims: posts would be the first of their group again. So
``whole.lua`` looks before each claim whether it is the same server in the same run, in which all
was restored that had been claimed before. Set ``maxmemory-policy noeviction``: a full server then
says so, and we wait.
"""

import secrets
import struct
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final

import numpy as np
import redis
import xxhash
from numpy.typing import NDArray
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.errors import Emptied, GiveUp, GroundswellError, TryLater
from pipeline.indexes import alike
from pipeline.indexes.memory import LATENESS, WINDOW
from pipeline.ports import Claim, Fingerprints

#: Posts of one call: the server does nothing else meanwhile, some 0.3 s (0.7 s where all of them
#: are a brigade's variants of one long text).
AT_ONCE: Final = 2_000
#: Seconds to reach the server, and to wait for an answer while others' calls run.
_CONNECT, _ANSWER = 5.0, 30.0
#: Seconds in which what other workers had claimed before the loss comes to ``feedback``.
_LANDED: Final = 10.0
# Ids, exact keys and bands share their hashes in the server: these keep them apart.
_OF_IDS, _OF_EXACT, _OF_BANDS = (
    np.uint64(0x6A09E667F3BCC908),
    np.uint64(0xBB67AE8584CAA73B),
    np.uint64(0x3C6EF372FE94F82B),
)
_OF_PHRASES: Final = np.uint64(0xA54FF53A5F1D36F1)
#: Stands for the likeness where an exact key was the same.
_COPY: Final = alike.EQUAL + 1
#: When two posts are alike, for the script.
_BOUNDS: Final[dict[str, float | bool]] = {
    "alike": alike.ALIKE,
    "contained": alike.CONTAINED,
    "words": alike.LEAST_WORDS,
    "characters": alike.CONTAINED_CHARACTERS,
    "shared": alike.SHARED,
    "equal": alike.EQUAL,
}


class RedisRepeatIndex:
    """``RepeatIndex`` in a server at ``url`` (``redis://:password@host:port/0``, ``rediss://…``).

    All keys start with ``prefix``; indexes of one prefix are one index, whoever uses them. Nothing
    is connected before the first claim. ``setting`` is what the user calls ``url``. With
    ``guarded`` a claim raises Emptied where claims may be lost: who claims again after that has
    restored them. Raises GiveUp for what is no address.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "groundswell:repeats",
        window: timedelta = WINDOW,
        lateness: timedelta = LATENESS,
        setting: str = "index",
        guarded: bool = False,
    ) -> None:
        self.prefix = prefix
        self._asks_as = secrets.token_hex(8) if guarded else None
        self._setting = setting
        self._start = f"{{{prefix}}}:"
        self._window = _ms(window)
        self._life = _ms(window) + _ms(lateness)
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_connect_timeout=_CONNECT,
                socket_timeout=_ANSWER,
                # A connection that the server closed while idle; a claim made twice is one claim.
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as error:
            raise GiveUp(f"{setting} is no address of a Redis or Valkey server") from error
        parts = (files("pipeline.indexes") / name for name in ("whole.lua", "claims.lua"))
        script = "".join(part.read_text(encoding="utf-8") for part in parts)
        # Sends the script's digest; the script itself only to a server that does not know it.
        self._script = self._client.register_script(script)
        forget = (files("pipeline.indexes") / "forget.lua").read_text(encoding="utf-8")
        self._forgets = self._client.register_script(forget)

    def claim(self, batch: Fingerprints) -> list[Claim]:
        """See the port. Raises TryLater while the server is away, GiveUp if it refuses us.

        With ``guarded`` also Emptied.
        """
        claims = self._take(batch, None)
        if self._asks_as is not None:
            self._asks_as = secrets.token_hex(8)  # what was restored before counts no more
        return claims

    def restore(self, batch: Fingerprints, groups: Sequence[str]) -> None:
        """See the port. Claims that the server still has stay as they are."""
        self._take(batch, groups)

    def forget(self, ids: Sequence[str]) -> None:
        """See the port. The server's own files and copies are its owner's to clear."""
        keys = (_hashed(ids) ^ _OF_IDS).astype(">u8").tobytes()
        try:
            self._forgets(keys=[self._start], args=[keys])
        except redis.RedisError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Closes the connection. The claims stay in the server."""
        self._client.close()

    def _take(self, batch: Fingerprints, groups: Sequence[str] | None) -> list[Claim]:
        claims: list[Claim] = []
        keys = [self._start]
        if groups is None and self._asks_as is not None:
            keys.append(self._asks_as)
        for first in range(0, len(batch.ids), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            arguments = self._packed(batch, part, None if groups is None else groups[part])
            try:
                answers = self._script(keys=keys, args=arguments)
            except redis.RedisError as error:
                raise self._translated(error) from error
            claims += _claims(answers)
        return claims

    def _packed(
        self, batch: Fingerprints, part: slice, groups: Sequence[str] | None
    ) -> list[bytes | str]:
        """The arguments of the script for a part of a batch."""
        ids = batch.ids[part]
        keys = np.hstack(
            [
                (_hashed(ids) ^ _OF_IDS)[:, None],
                *(
                    np.where(kind[part] == 0, 0, kind[part] ^ salt)
                    for kind, salt in (
                        (batch.exact, _OF_EXACT),
                        (batch.bands, _OF_BANDS),
                        (batch.phrases, _OF_PHRASES),
                    )
                ),
            ]
        )
        head: dict[str, float | bool] = {
            "window": self._window,
            "life": self._life,
            "age": self._life,
            "exact": batch.exact.shape[1],
            "bands": batch.bands.shape[1],
            "phrases": batch.phrases.shape[1],
            "restore": groups is not None,
        }
        return [
            _message_pack(head | _BOUNDS),
            batch.at[part].astype(">f8").tobytes(),
            keys.astype(">u8").tobytes(),
            batch.author[part].astype(">u8").tobytes(),
            *ids,
            *batch.letters[part],
            *(groups or ()),
        ]

    def _translated(self, error: redis.RedisError) -> GroundswellError:
        refused = (redis.AuthenticationError, redis.exceptions.NoPermissionError)
        if isinstance(error, refused):
            return GiveUp(f"the server of repeats refuses the login in {self._setting}")
        later = (
            redis.ConnectionError,
            redis.TimeoutError,
            redis.ReadOnlyError,
            redis.exceptions.OutOfMemoryError,
            redis.exceptions.TryAgainError,
        )
        text = str(error)
        if text.startswith("EMPTIED"):
            return Emptied("the server of repeats lost what it had: it is restored", _LANDED)
        if isinstance(error, later) or text.startswith(("OOM", "BUSY", "MASTERDOWN", "MISCONF")):
            return TryLater("the server of repeats is away, full or busy")
        # Its own text may quote arguments.
        return GiveUp(
            f"the server at the address in {self._setting} cannot keep repeats "
            f"({text.partition(' ')[0][:40]}): it must be Valkey or Redis from 6.2 on, no cluster"
        )


def _hashed(ids: Sequence[str]) -> NDArray[np.uint64]:
    return np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in ids], np.uint64)


def _claims(answers: Sequence[Any]) -> Iterator[Claim]:
    """The answers of the script, four items a post."""
    for group, owner, told, echo in zip(*(answers[i::4] for i in range(4)), strict=True):
        is_copy = told == _COPY
        yield Claim(
            group.decode(),
            None if owner is None else owner.decode(),
            is_copy,
            1.0 if is_copy else told / alike.EQUAL,
            bool(echo),
        )


def _message_pack(head: dict[str, float | bool]) -> bytes:
    """A small map of numbers and flags as MessagePack, which the server reads exactly."""
    parts = [bytes((0x80 | len(head),))]
    for name, value in head.items():
        parts.append(bytes((0xA0 | len(name),)) + name.encode())
        if isinstance(value, bool):
            parts.append(b"\xc3" if value else b"\xc2")
        else:
            parts.append(b"\xcb" + struct.pack(">d", value))
    return b"".join(parts)


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
