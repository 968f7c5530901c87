"""Reviews of Apple's App Store as mentions: from the public feed, and from App Store Connect.

Both tell when a review was last written, not when first; that time is its version, so an edit is a
later version of the same mention, also for whoever has never seen the first one. The two number
their reviews differently, so an app is read by one of them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from collectors.appstore.countries import country
from collectors.kit.polling import Entry
from collectors.kit.times import instant
from collectors.kit.unreadable import unreadable
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Mention
from pipeline.values import sound, to_ms

PLATFORM: Final = "appstore"


def of_feed(app: str, code: str, raw: Any, tracks: tuple[str, ...], now: datetime) -> Entry | None:
    """An entry of the public feed; None for the app itself, which stood first for years."""
    told = raw if isinstance(raw, dict) else {}
    if "im:name" in told and "im:rating" not in told:
        return None
    author = told.get("author")
    named = author if isinstance(author, dict) else {}
    uri = _label(named.get("uri"))
    fields = {
        "number": _label(told.get("id")),
        "author": {"id": uri.rpartition("/id")[2] or None, "handle": _label(named.get("name"))},
        "title": _label(told.get("title")),
        "body": _label(told.get("content")),
        "at": instant(_label(told.get("updated")) or None),
        "rating": _label(told.get("im:rating")),
        "app_version": _label(told.get("im:version")) or None,
        "code": code,
        "engagement": _votes(told),
    }
    return _entry(app, fields, raw, tracks, now)


def of_connect(app: str, raw: Any, tracks: tuple[str, ...], now: datetime) -> Entry:
    """A review as App Store Connect tells it: without the app's version, and who wrote it."""
    told = raw if isinstance(raw, dict) else {}
    given = told.get("attributes")
    attributes = given if isinstance(given, dict) else {}
    fields = {
        "number": _text(told.get("id")),
        # Nicknames are chosen by each reviewer and are no ids: two may have the same.
        "author": {"handle": _text(attributes.get("reviewerNickname")) or None},
        "title": _text(attributes.get("title")),
        "body": _text(attributes.get("body")),
        "at": instant(attributes.get("createdDate")),
        "rating": attributes.get("rating"),
        "app_version": None,
        "code": _text(attributes.get("territory")),
        "engagement": {},
    }
    return _entry(app, fields, raw, tracks, now)


def _entry(
    app: str, told: Mapping[str, Any], raw: Any, tracks: tuple[str, ...], now: datetime
) -> Entry:
    at: datetime | None = told["at"]
    number = f"{told['number']}@{to_ms(at or now)}"
    try:
        if not told["number"] or at is None:
            raise SetAside("a review has a number and a time, this has not")
        return Entry(number, at, _mention(app, told, at, tracks, now))
    except SetAside as reason:
        return Entry(number, at or now, unreadable(raw, reason, f"review {number}"))


def _mention(
    app: str, told: Mapping[str, Any], at: datetime, tracks: tuple[str, ...], now: datetime
) -> Mention:
    """Raises SetAside."""
    code = told["code"]
    store = code.lower() if len(code) == 2 else "us"
    values = {
        "source": PLATFORM,
        "external_id": f"{app}/{told['number']}",
        "kind": "review",
        "author": told["author"],
        "text": "\n\n".join(part for part in (told["title"], told["body"]) if part),
        "said_at": at,
        "seen_at": now,
        "url": f"https://apps.apple.com/{store}/app/id{app}?see-all=reviews",
        "place": country(code),
        "rating": told["rating"] if told["rating"] != "" else None,
        "app_version": told["app_version"],
        "engagement": told["engagement"],
        "tracks": tracks,
        "version": max(0, to_ms(at)),
    }
    return check(Mention, values)


def _votes(told: Mapping[str, Any]) -> dict[str, float]:
    """How many found it helpful, of how many who said so."""
    names = {"votes": "im:voteCount", "helpful": "im:voteSum"}
    counts = {name: _label(told.get(label)) for name, label in names.items()}
    return {name: float(count) for name, count in counts.items() if count.isdecimal()}


def _label(value: Any) -> str:
    """The feed wraps each value: ``{"label": …}``."""
    return _text(value.get("label")) if isinstance(value, dict) else ""


def _text(value: Any) -> str:
    return sound(value).strip() if isinstance(value, str) else ""
