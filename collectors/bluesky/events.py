"""What an event of Bluesky's Jetstream says: posts, edits, deletes, accounts, names.

A post's external id is ``DID/RKEY``; so are ``reply_to``, ``thread`` and ``quote_of``. An author's
id is the DID, which outlives every change of the handle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from collectors.kit.times import from_us, instant
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Author, Kind, Mention, Removal
from pipeline.values import sound

PLATFORM = "bluesky"
POSTS = "app.bsky.feed.post"
#: ``createdAt`` is set by the client. Archives of other networks are brought along with their own
#: dates, so old ones are believed back to the first such network; later than it came in is wrong.
FIRST_POST = datetime(2006, 3, 21, tzinfo=UTC)
AHEAD = timedelta(minutes=5)

#: A post has some 300 characters; what has more facets than this was not made for readers.
MOST_FACETS = 200

#: What becomes of an author's posts, by the status of an account that is not active. Other states
#: ("desynchronized", "throttled") say something about a server, not about what may be shown.
ACCOUNT_STATES: dict[str, Literal["hidden", "erased"]] = {
    "deactivated": "hidden",
    "suspended": "hidden",
    "deleted": "erased",
    "takendown": "erased",
}


@dataclass(slots=True)
class Found:
    """What a post says beside its text: handles, DIDs, hashtags and links, each once, in order."""

    handles: list[str] = field(default_factory=list)
    dids: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def add(self, names: list[str], value: Any) -> None:
        """Notes one value, if it is text, not there yet, and not empty."""
        if isinstance(value, str) and value and value not in names:
            names.append(value)


def found(record: dict[str, Any]) -> Found:
    """The facets, tags and embedded links of a post's record."""
    seen = Found()
    if facets := record.get("facets"):
        text = _text(record).encode("utf-8", "surrogatepass")
        for facet in islice(_dicts(facets), MOST_FACETS):
            span = _span(facet.get("index"), text)
            for feature in _dicts(facet.get("features")):
                _note(seen, feature, span)
    for tag in _list(record.get("tags")):
        seen.add(seen.tags, tag)
    seen.add(seen.links, _at(record, "embed", "external", "uri"))
    seen.add(seen.links, _at(record, "embed", "media", "external", "uri"))
    return seen


def _note(seen: Found, feature: dict[str, Any], span: str) -> None:
    """Notes one feature of a facet over ``span`` of the text."""
    kind = str(feature.get("$type", "")).rpartition("#")[2]
    if kind == "mention":
        seen.add(seen.dids, feature.get("did"))
        if span.startswith("@"):
            seen.add(seen.handles, span[1:])
    elif kind == "tag":
        seen.add(seen.tags, feature.get("tag"))
    elif kind == "link":
        seen.add(seen.links, feature.get("uri"))


def _span(index: Any, text: bytes) -> str:
    """The text a facet covers; its offsets count bytes of UTF-8 and may be nonsense."""
    start, end = _at(index, "byteStart"), _at(index, "byteEnd")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
        return ""
    return text[start:end].decode("utf-8", "ignore")


def said(record: dict[str, Any], seen: Found) -> str:
    """What is matched against the tracks: the text, and in full the links that it cuts short."""
    text = _text(record)
    return " ".join((text, *seen.links)) if seen.links else text


def mention(
    event: dict[str, Any],
    seen: Found,
    *,
    handle: str | None,
    tracks: Sequence[str],
    now: datetime,
) -> Mention:
    """The post that a commit creates or changes. Raises SetAside when it is none."""
    record = event["commit"]["record"]
    time_us = event["time_us"]
    reply_to = external_id(_at(record, "reply", "parent", "uri"))
    quote_of = external_id(
        _at(record, "embed", "record", "record", "uri") or _at(record, "embed", "record", "uri")
    )
    values = {
        "source": PLATFORM,
        "external_id": f"{event['did']}/{event['commit']['rkey']}",
        "kind": _kind(reply_to, quote_of),
        "author": Author(id=event["did"], handle=handle),
        "text": _text(record),
        "lang": next((lang for lang in _list(record.get("langs")) if isinstance(lang, str)), None),
        "said_at": _said_at(record.get("createdAt"), from_us(time_us)),
        "event_at": from_us(time_us),
        "seen_at": now,
        "url": f"https://bsky.app/profile/{event['did']}/post/{event['commit']['rkey']}",
        "reply_to": reply_to,
        "quote_of": quote_of,
        "thread": external_id(_at(record, "reply", "root", "uri")),
        "hashtags": tuple(seen.tags),
        "mentions": tuple(seen.handles),
        "links": tuple(seen.links),
        "tracks": tuple(tracks),
        "version": time_us // 1_000 if event["commit"]["operation"] == "update" else 0,
    }
    return check(Mention, values)


def post_removal(event: dict[str, Any], kind: Literal["hidden", "erased", "shown"]) -> Removal:
    """That the post of a commit is gone, out of sight, or back."""
    post = f"{PLATFORM}:{event['did']}/{event['commit']['rkey']}"
    return Removal(removal=post, kind=kind, at=from_us(event["time_us"]), scope="mention")


def account_removal(event: dict[str, Any]) -> Removal | None:
    """What an account's new state means for its posts; None when it means nothing.

    Raises SetAside when the event tells no state.
    """
    account = event.get("account")
    if not isinstance(account, dict) or not isinstance(account.get("active"), bool):
        raise SetAside("an account event without its state")
    state: Literal["hidden", "erased", "shown"] | None = "shown"
    if not account["active"]:
        state = ACCOUNT_STATES.get(str(account.get("status")))
    if state is None:
        return None
    author = f"{PLATFORM}:{event['did']}"
    return Removal(removal=author, kind=state, at=from_us(event["time_us"]), scope="author")


def new_handle(event: dict[str, Any]) -> str | None:
    """The handle that an identity event tells; None when it tells none that is valid."""
    handle = _at(event, "identity", "handle")
    return handle if isinstance(handle, str) and handle and handle != "handle.invalid" else None


def external_id(uri: Any) -> str | None:
    """``DID/RKEY`` of a post's ``at://`` address; None for anything else, other records too."""
    if not isinstance(uri, str) or not uri.startswith("at://"):
        return None
    parts = sound(uri)[5:].split("/")
    return f"{parts[0]}/{parts[2]}" if len(parts) == 3 and parts[1] == POSTS else None


def _kind(reply_to: str | None, quote_of: str | None) -> Kind:
    if reply_to is not None:
        return "reply"
    return "post" if quote_of is None else "quote"


def _said_at(created: Any, came: datetime) -> datetime:
    at = instant(created) if isinstance(created, str) else None
    return at if at is not None and FIRST_POST <= at <= came + AHEAD else came


def _text(record: dict[str, Any]) -> str:
    text = record.get("text")
    return text if isinstance(text, str) else ""


def _at(value: Any, *keys: str) -> Any:
    """The value under a path of keys; None where the path breaks off."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in _list(value) if isinstance(item, dict))
