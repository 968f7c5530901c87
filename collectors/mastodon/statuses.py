"""Mastodon's statuses as mentions. Ids are those of one instance, so its host stands before them.

Statuses come as the library reads them: dictionaries with times already read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeGuard

import xxhash

from collectors.kit.away import State
from collectors.kit.markup import plain
from collectors.kit.times import instant
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Mention, Removal
from pipeline.values import MAX_NAME, sound, to_ms

PLATFORM: Final = "mastodon"
#: Who may see a status that is public; the others were meant for few.
PUBLIC: Final = frozenset({"public", "unlisted"})


def mention(host: str, status: Any, now: datetime) -> Mention | None:
    """The post of a status; None for one that is not public. Raises SetAside."""
    if not isinstance(status, Mapping):
        raise SetAside("a status is a JSON object, this is not")
    if status.get("visibility") not in PUBLIC:
        return None
    shared = status.get("reblog")
    told = shared if isinstance(shared, Mapping) else status
    text, links = plain(_text(told.get("content")))
    account = status.get("account")
    author = account if isinstance(account, Mapping) else {}
    who = {
        "id": _numbered(host, author.get("id")),
        "handle": _text(author.get("acct")),
        "created_at": instant(author.get("created_at")),
    }
    edited = instant(status.get("edited_at"))
    quoted = _inner(_inner(told.get("quote")).get("quoted_status")).get("id")
    reply_to = status.get("in_reply_to_id")
    values = {
        "source": PLATFORM,
        "external_id": f"{host}/{_id(status)}",
        "kind": _kind(told is shared, bool(reply_to), bool(quoted)),
        "author": who,
        "text": "\n\n".join(part for part in (_text(told.get("spoiler_text")), text) if part),
        "lang": told.get("language") or None,
        "said_at": instant(status.get("created_at")),
        "seen_at": now,
        "url": told.get("url") or None,
        "reply_to": _numbered(host, reply_to),
        "repost_of": _numbered(host, told.get("id")) if told is shared else None,
        "quote_of": _numbered(host, quoted),
        "hashtags": _names(told.get("tags"), "name"),
        "mentions": _names(told.get("mentions"), "acct"),
        "links": links,
        "version": 0 if edited is None else to_ms(edited),
    }
    return check(Mention, values)


def number_of(status: Any) -> str:
    """What tells a status, and one edit of it from the next, in this source."""
    told = status if isinstance(status, Mapping) else {}
    if "id" not in told:
        return xxhash.xxh3_64_hexdigest(repr(status).encode())
    edited = instant(told.get("edited_at"))
    return f"{told['id']}" if edited is None else f"{told['id']}@{to_ms(edited)}"


def removal(host: str, number: int | str, now: datetime, kind: str = "erased") -> Removal:
    """That the status of an id is gone; ids of deletes are text, those of others may be numbers."""
    gone = f"{PLATFORM}:{host}/{sound(str(number))}"
    told = {"removal": gone[:MAX_NAME], "kind": kind, "at": now, "scope": "mention"}
    return check(Removal, told)


def is_number(value: Any) -> TypeGuard[int | str]:
    """Whether something may be the id of a status."""
    return isinstance(value, int | str) and bool(str(value))


def fate(status: Any) -> State:
    """What became of a status that was looked at again; None: the instance does not know it.

    That is so after a delete, and also for whoever its author blocks, or while an instance is being
    restored.
    """
    if status is None:
        return "missing"
    is_suspended = _inner(_inner(status).get("account")).get("suspended") is True
    return "hidden" if is_suspended else "here"


def _kind(is_shared: bool, is_reply: bool, is_quote: bool) -> str:
    if is_shared:
        return "repost"
    if is_reply:
        return "reply"
    return "quote" if is_quote else "post"


def _id(status: Mapping[str, Any]) -> str:
    number = status.get("id")
    if not isinstance(number, int | str) or not str(number):
        raise SetAside("a status without its id")
    return str(number)


def _numbered(host: str, number: Any) -> str | None:
    return f"{host}/{number}" if isinstance(number, int | str) and str(number) else None


def _inner(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(values: Any, field: str) -> tuple[str, ...]:
    found = [_text(_inner(value).get(field)) for value in values or ()]
    return tuple(name for name in found if name)


def _text(value: Any) -> str:
    return sound(value) if isinstance(value, str) else ""
