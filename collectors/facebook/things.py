"""Facebook's posts and comments as mentions: as the Graph API gives them, and as webhooks do."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from collectors.kit.times import from_us, instant
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Mention, Removal
from pipeline.values import sound, to_ms

PLATFORM: Final = "facebook"
NUMBER: Final = re.compile(r"\d{1,24}(_\d{1,24}){0,2}", re.ASCII)
#: Those that posts and comments share: asked for another one, Facebook answers nothing at all.
FIELDS: Final = "id,message,from,created_time,permalink_url,message_tags"
COMMENTED: Final = f"{FIELDS},parent{{id}}"
#: What webhooks call a post.
_POSTS: Final = frozenset({"post", "status", "photo", "video", "share", "link", "album", "event"})
_EDITS: Final = frozenset({"edit", "edited", "update"})
_FATES: Final = {
    "remove": "erased",
    "delete": "erased",
    "hide": "hidden",
    "unhide": "shown",
    "unhidden": "shown",
}


def number_of(thing: Any) -> str | None:
    """The id of a post or a comment."""
    number = thing.get("id") if isinstance(thing, Mapping) else None
    return number if isinstance(number, str) and NUMBER.fullmatch(number) else None


def author_of(thing: Any) -> str | None:
    """The id of who said it, where Facebook tells."""
    found = _inner(_inner(thing).get("from")).get("id")
    return found if isinstance(found, str) else None


def said(thing: Any) -> datetime | None:
    """When it was said."""
    at = _inner(thing).get("created_time")
    if type(at) is int:  # as webhooks have it
        return from_us(at * 1_000_000) if 0 < at < 1 << 40 else None
    return instant(at) if isinstance(at, str) else None


def mention(
    thing: Any, now: datetime, tracks: tuple[str, ...], post: str | None = None, version: int = 0
) -> Mention:
    """A post, or a comment on ``post``. Raises SetAside."""
    number = number_of(thing)
    if number is None:
        raise SetAside("a thing of Facebook has a number, this has not")
    parent = _inner(thing.get("parent")).get("id")
    values = {
        "source": PLATFORM,
        "external_id": number,
        "kind": "post" if post is None else "comment",
        # Who has not allowed the app to know stays unnamed: a witness for that one post.
        "author": {"id": author_of(thing), "handle": _inner(thing.get("from")).get("name")},
        "text": _text(thing.get("message")),
        "said_at": said(thing),
        "seen_at": now,
        "url": thing.get("permalink_url") or f"https://www.facebook.com/{number}",
        "reply_to": None if post is None else parent or post,
        "thread": post,
        "mentions": _names(thing.get("message_tags")),
        "tracks": tracks,
        "version": version,
    }
    return check(Mention, values)


def removal(number: str, kind: str, at: datetime) -> Removal:
    """That a post or comment is hidden, shown again, or gone."""
    told = {"removal": f"{PLATFORM}:{number}", "kind": kind, "at": at, "scope": "mention"}
    return check(Removal, told)


def change(
    value: Any, at: datetime, now: datetime, page: str, tracks: tuple[str, ...]
) -> Mention | Removal | None:
    """The word of one change that a webhook tells; None for what is no matter of ours.

    ``at`` is when the change was made: the version of an edit. Raises SetAside.
    """
    told = _inner(value)
    item, verb = _text(told.get("item")), _text(told.get("verb"))
    is_comment = item == "comment"
    if not is_comment and item not in _POSTS:
        return None
    number = told.get("comment_id") if is_comment else told.get("post_id")
    if verb in _FATES:
        if not isinstance(number, str) or not NUMBER.fullmatch(number):
            raise SetAside("a change of Facebook names a post or a comment, this does not")
        return removal(number, _FATES[verb], at)
    if verb != "add" and verb not in _EDITS:
        return None
    # The page itself speaks officially; mentions elsewhere come without their text.
    if author_of(told) == page or (not is_comment and "message" not in told):
        return None
    post = _text(told.get("post_id")) or None
    thing = dict(told) | {"id": number}
    if is_comment:
        parent = told.get("parent_id")
        thing["parent"] = {"id": parent} if isinstance(parent, str) else None
    version = to_ms(at) if verb in _EDITS else 0
    return mention(thing, now, tracks, post if is_comment else None, version)


def _names(tags: Any) -> tuple[str, ...]:
    found = [_text(_inner(tag).get("name")) for tag in tags] if isinstance(tags, list) else []
    return tuple(name for name in found if name)


def _inner(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return sound(value) if isinstance(value, str) else ""
