"""Whose an account of our own is: events name it by its DID, people by its handle."""

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Final

from collectors.kit.web import Web
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.ports import Clock
from pipeline.tracks import Track

log = logging.getLogger(__name__)

API: Final = "https://public.api.bsky.app"
METHOD: Final = "com.atproto.identity.resolveHandle"
#: The answer for a handle of nobody.
NOBODY: Final = 400


class OwnNames:
    """The handles of our own accounts by their DIDs, asked for once, without an account."""

    def __init__(self, source: str, clock: Clock, url: str, tracks: Sequence[Track]) -> None:
        self._source = source
        self._web = Web(source, clock)
        self._url = f"{url.rstrip('/')}/xrpc/{METHOD}"
        self._asked_for = _handles(name for track in tracks for name in track.own)
        self._known: dict[str, str] = {}

    def handle(self, did: str) -> str | None:
        """The handle of an account of ours; None for all others."""
        return self._known.get(did)

    def learn(self, stop: threading.Event) -> None:
        """Asks for those that are not known yet. What cannot be had now is asked for next time."""
        while self._asked_for and not stop.is_set():
            handle = self._asked_for[0]
            try:
                answer = self._web.get(
                    self._url, stop, params={"handle": handle}, fine=frozenset({NOBODY})
                )
                told = load(answer.body)
            except (TryLater, GiveUp, SetAside) as trouble:
                log.warning("%s; until then our own posts are not known as ours", trouble)
                break
            did = told.get("did") if isinstance(told, dict) else None
            if isinstance(did, str):
                self._known[did] = handle
            else:
                log.info("%s: @%s is nobody on Bluesky", self._source, handle)
            self._asked_for.pop(0)
        self._web.close()


def _handles(names: Iterable[str]) -> list[str]:
    """Those that can be handles of Bluesky: they are host names. A DID needs no asking."""
    bare = (name.lstrip("@").casefold() for name in names)
    return [name for name in dict.fromkeys(bare) if "." in name and ":" not in name]
