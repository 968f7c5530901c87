"""Reddit's things (submissions ``t3``, comments ``t1``) as mentions, and what became of them."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from collectors.kit.times import from_us
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Mention
from pipeline.values import sound, to_ms

PLATFORM: Final = "reddit"
COMMENT: Final = "t1"
SUBMISSION: Final = "t3"
FULLNAME: Final = re.compile(r"t[13]_[a-z0-9]{1,20}", re.ASCII)
#: What stands where a text or a name was.
DELETED, REMOVED = "[deleted]", "[removed]"
#: Reddit marks no edit of the first three minutes.
UNMARKED: Final = timedelta(minutes=3)
Fate = Literal["here", "hidden", "erased"]
#: Who took a submission away, where that cannot be undone. Moderators and filters can undo theirs.
_FOR_GOOD: Final = frozenset({"deleted", "author", "content_takedown", "copyright_takedown"})
_HANDLE: Final = re.compile(r"(?<![\w/])/?u/([A-Za-z0-9_-]{3,20})(?![\w-])", re.ASCII)
_THREAD: Final = re.compile(r"/comments/([a-z0-9]{1,20})/", re.ASCII)


def fullname(thing: Any) -> str | None:
    """The id of a submission or a comment, None for anything else."""
    name = _data(thing).get("name")
    return name if isinstance(name, str) and FULLNAME.fullmatch(name) else None


def said(thing: Any) -> datetime | None:
    """When it was posted."""
    return _time(_data(thing).get("created_utc"))


def fate(thing: Any) -> Fate:
    """What became of a thing.

    A deleted account has deleted what it said: Reddit's terms ask that its posts name it no longer,
    and a post that we hold does.
    """
    data = _data(thing)
    text = data.get("body") if _is_comment(thing) else data.get("selftext")
    by = _text(data.get("removed_by_category"))
    is_nobody = data.get("author", "") is None or data.get("author") == DELETED
    if by in _FOR_GOOD:
        return "erased"
    if text == REMOVED:  # moderators' removals of comments hide the author, too
        return "hidden"
    if text == DELETED or is_nobody:
        return "erased"
    return "hidden" if by else "here"


def mention(thing: Any, now: datetime, about: tuple[str, ...] = ()) -> Mention:
    """The post of a thing that is here. Raises SetAside."""
    data = _data(thing)
    name = fullname(thing)
    if name is None:
        raise SetAside("a thing of Reddit is a submission or a comment with its name")
    told = _comment(data) if _is_comment(thing) else _submission(data)
    edited = _time(data.get("edited"))
    values = told | {
        "source": PLATFORM,
        "external_id": name,
        "author": {"id": data.get("author_fullname"), "handle": data.get("author")},
        "said_at": said(thing),
        "seen_at": now,
        "mentions": tuple(dict.fromkeys(_HANDLE.findall(told["text"]))),
        "engagement": _counts(data),
        "tracks": about,
        "version": 0 if edited is None else to_ms(edited),
    }
    return check(Mention, values)


def unmarked(mention: Mention, now: datetime) -> int:
    """The version of an edit that Reddit does not mark, below that of every later edit."""
    return to_ms(min(now, mention.said_at + UNMARKED))


def subreddit(thing: Any) -> str:
    """Where it was posted, in lower case."""
    return _text(_data(thing).get("subreddit")).lower()


def _submission(data: Mapping[str, Any]) -> dict[str, Any]:
    title, body = _text(data.get("title")), _text(data.get("selftext"))
    parents = data.get("crosspost_parent_list")
    parent = parents[0] if isinstance(parents, list) and parents else None
    shared = data.get("crosspost_parent")
    inner = parent if isinstance(parent, Mapping) else {}
    # A cross-post that says nothing of its own is a repost, and has the text of what it repeats.
    is_repost = bool(shared) and not body and _text(inner.get("title")) == title
    if is_repost:
        body = _text(inner.get("selftext"))
        body = "" if body in {DELETED, REMOVED} else body
    return {
        "kind": "repost" if is_repost else "quote" if shared else "post",
        "text": _joined(title, body),
        "url": _address(data.get("permalink")),
        "repost_of": shared if is_repost else None,
        "quote_of": shared if shared and not is_repost else None,
        "links": _links(data),
    }


def _comment(data: Mapping[str, Any]) -> dict[str, Any]:
    # What comes from an inbox tells of its thread in an address only.
    where = _text(data.get("permalink")) or _text(data.get("context"))
    found = _THREAD.search(where)
    return {
        "kind": "comment",
        "text": _text(data.get("body")),
        "url": _address(where),
        "reply_to": data.get("parent_id"),
        "thread": data.get("link_id") or (f"{SUBMISSION}_{found[1]}" if found else None),
    }


def _links(data: Mapping[str, Any]) -> tuple[str, ...]:
    url = _text(data.get("url_overridden_by_dest") or data.get("url"))
    is_own = data.get("is_self") is not False or bool(data.get("crosspost_parent"))
    return () if is_own or not url.startswith(("http://", "https://")) else (url,)


def _counts(data: Mapping[str, Any]) -> dict[str, float]:
    told = {"score": data.get("score"), "replies": data.get("num_comments")}
    return {name: float(count) for name, count in told.items() if type(count) is int}


def _address(path: Any) -> str | None:
    where = _text(path).partition("?")[0]
    return f"https://www.reddit.com{where}" if where.startswith("/") else None


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _is_comment(thing: Any) -> bool:
    return (fullname(thing) or "").startswith(COMMENT)


def _time(value: Any) -> datetime | None:
    is_time = type(value) in {int, float} and 0 < value < 1 << 40
    return from_us(round(value * 1e6)) if is_time else None


def _data(thing: Any) -> Mapping[str, Any]:
    data = thing.get("data") if isinstance(thing, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def _text(value: Any) -> str:
    return sound(value) if isinstance(value, str) else ""
