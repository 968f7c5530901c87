"""The two ways in which Jetstream speaks: version 1 (``/subscribe``) and 2 (``/xrpc/…``).

Version 2 has a sequence of its own for each instance, but takes times as cursors as version 1 does;
a time means the same on every instance, so times are our cursors in both. What version 2 tells is
brought to the form of version 1 here; nobody else need know of it.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from collectors.bluesky import events
from collectors.kit.times import instant, to_us
from pipeline.errors import SetAside

METHOD: Final = "network.bsky.jetstream.subscribeEvents"
#: What a client of version 2 says that it understands.
SUBPROTOCOL: Final = "xrpc.v1.json"
#: Larger records are not sent at our request (bytes).
MAX_RECORD: Final = 1_048_576
_KINDS: Final = ("commit", "account", "identity")
#: What is told beside; the gap that an outdated cursor means shows in the first event that comes.
_PASSED_OVER: Final = ("info", "sync")


class Farewell(Exception):
    """The server says why it ends the connection; the message is its code."""


def is_second(url: str) -> bool:
    """Whether an address is one of version 2."""
    return "/xrpc/" in urlsplit(url).path


def address(url: str, since: int | None) -> str:
    """What to ask for: posts, and events of accounts and identities, from a time in µs on."""
    asked = f"maxMessageSizeBytes={MAX_RECORD}"
    if is_second(url):
        kinds = "".join(f"&kinds={kind}" for kind in _KINDS)
        asked = f"collections={events.POSTS}{kinds}&{asked}"
    else:
        asked = f"wantedCollections={events.POSTS}&{asked}"
    cursor = "" if since is None else f"&cursor={since}"
    return f"{url}{'&' if '?' in url else '?'}{asked}{cursor}"


def first_form(told: Any) -> dict[str, Any] | None:
    """An event of version 2 as version 1 has it; None for what is no event.

    Raises SetAside for what is none of its frames, Farewell.
    """
    frame = told if isinstance(told, dict) else {}
    if frame.get("$type") == "error":
        raise Farewell(str(frame.get("error", "error"))[:50])
    event = frame.get("payload")
    if frame.get("$type") != "message" or not isinstance(event, dict):
        raise SetAside("a frame is a message with its payload, this is not")
    kind = str(event.get("$type", "")).rpartition("#")[2]
    if kind in _PASSED_OVER:
        return None
    at = instant(event.get("witnessedAt") or event.get("time"))
    if at is None:
        raise SetAside("an event without the time when it was witnessed")
    made = {"did": event.get("did"), "time_us": to_us(at), "kind": kind}
    # In version 2 the fields of a commit stand beside those of the event.
    return made | ({"commit": event} if kind == "commit" else {kind: event.get(kind)})
