"""X's posts as mentions. Posts come as the API's own JSON, which names authors and others aside.

An edit is a post of its own with a new id; all versions name the whole chain, and the first id
stands for it. Ids of X carry the time at which they were made.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from collectors.kit.polling import Entry
from collectors.kit.times import instant
from collectors.kit.unreadable import unreadable
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Mention
from pipeline.values import from_ms, sound, to_ms

PLATFORM: Final = "x"
#: What is asked for with every post. Without ``note_tweet`` long posts come cut short.
FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "tweet_fields": [
        "author_id",
        "conversation_id",
        "created_at",
        "edit_history_tweet_ids",
        "entities",
        "geo",
        "lang",
        "note_tweet",
        "public_metrics",
        "referenced_tweets",
    ],
    "expansions": [
        "attachments.media_keys",
        "author_id",
        "geo.place_id",
        "referenced_tweets.id",
    ],
    "user_fields": ["created_at", "username"],
    "media_fields": ["alt_text"],
    "place_fields": ["full_name"],
}
#: Languages that are none: undetermined, no words, only a link, a name, a hashtag, media.
NO_LANGUAGE: Final = frozenset({"und", "zxx", "art", "qam", "qct", "qht", "qme", "qst", "qid"})
#: Milliseconds since 1970 at which X's ids begin to count; they carry 22 bits besides.
FIRST_MS: Final = 1_288_834_974_657


class Aside:
    """What an answer tells besides its posts (``includes``), by id."""

    def __init__(self, includes: Any) -> None:
        told = _inner(includes)
        self.users = _by(told.get("users"), "id")
        self.posts = _by(told.get("tweets"), "id")
        self.places = _by(told.get("places"), "id")
        self.media = _by(told.get("media"), "media_key")


def entries(told: Mapping[str, Any], now: datetime) -> Iterator[Entry]:
    """All posts of an answer, each by itself: one that makes no sense spoils none beside it."""
    aside = Aside(told.get("includes"))
    data = told.get("data")
    for post in data if isinstance(data, list) else [data]:
        yield entry(post, aside, now)


def entry(post: Any, aside: Aside, now: datetime) -> Entry:
    """One post; its number is that of the version, its place when that was made."""
    number = _digits(_inner(post).get("id")) or "0"
    made = instant(_inner(post).get("created_at")) or made_at(number) or now
    try:
        return Entry(number, made, mention(post, aside, now))
    except SetAside as reason:
        return Entry(number, made, unreadable(post, reason, f"post {number}"))


def mention(post: Any, aside: Aside, now: datetime) -> Mention:
    """The word of a post. Raises SetAside."""
    if not isinstance(post, Mapping) or _digits(post.get("id")) is None:
        raise SetAside("a post is a JSON object with an id, this is not")
    chain, others = history(post), _others(post)
    shared = _inner(aside.posts.get(others.get("retweeted", "")))
    told = shared or post  # a repost's own text is cut short
    whole = _inner(told.get("note_tweet"))
    entities = _inner(whole.get("entities") or told.get("entities"))
    said, links = _text(whole.get("text") or told.get("text"), entities, others.get("quoted"))
    author = _digits(post.get("author_id"))
    user = _inner(aside.users.get(author or ""))
    place = _inner(aside.places.get(str(_inner(told.get("geo")).get("place_id"))))
    lang = told.get("lang")
    last = made_at(chain[-1])
    values = {
        "source": PLATFORM,
        "external_id": chain[0],
        "kind": _kind(others),
        "author": {
            "id": author,
            "handle": _string(user.get("username")) or None,
            "created_at": instant(user.get("created_at")),
        },
        "text": said or _seen(told, aside),
        "lang": lang if isinstance(lang, str) and lang not in NO_LANGUAGE else None,
        "said_at": (instant(post.get("created_at")) if len(chain) == 1 else None)
        or made_at(chain[0]),
        "seen_at": now,
        "url": f"https://x.com/i/status/{chain[-1]}",
        "reply_to": others.get("replied_to"),
        "repost_of": others.get("retweeted"),
        "quote_of": others.get("quoted"),
        "thread": _digits(post.get("conversation_id")),
        "hashtags": _names(entities.get("hashtags"), "tag"),
        "mentions": _names(entities.get("mentions"), "username"),
        "links": links,
        "place": _string(place.get("full_name")) or None,
        "engagement": _counts(post.get("public_metrics")),
        "version": to_ms(last) if len(chain) > 1 and last is not None else 0,
    }
    return check(Mention, values)


def history(post: Mapping[str, Any]) -> list[str]:
    """The ids of all versions up to this one, the first one first."""
    number = str(post["id"])
    told = post.get("edit_history_tweet_ids")
    chain = [str(each) for each in told if _digits(each)] if isinstance(told, list) else []
    # The chain may go on after this version, which is told as it was.
    return chain[: chain.index(number) + 1] if number in chain else [number]


def newest(post: Mapping[str, Any]) -> str:
    """The id of the chain's last version."""
    told = post.get("edit_history_tweet_ids")
    chain = [each for each in told if _digits(each)] if isinstance(told, list) else []
    return str(chain[-1]) if chain else str(post["id"])


def made_at(number: str) -> datetime | None:
    """When an id was made; None for those of before 2010, which carry no time."""
    ms = int(number) >> 22 if number.isdecimal() and len(number) < 20 else 0
    return from_ms(ms + FIRST_MS) if ms else None


def _others(post: Mapping[str, Any]) -> dict[str, str]:
    """The posts that this one answers, repeats or quotes: their ids by kind."""
    told = post.get("referenced_tweets")
    found = {}
    for other in told if isinstance(told, list) else ():
        number = _digits(_inner(other).get("id"))
        if number is not None:
            found[str(other.get("type"))] = number
    return found


def _kind(others: Mapping[str, str]) -> str:
    for told, kind in (("retweeted", "repost"), ("replied_to", "reply"), ("quoted", "quote")):
        if told in others:
            return kind
    return "post"


def _text(
    told: Any, entities: Mapping[str, Any], quoted: str | None
) -> tuple[str, tuple[str, ...]]:
    """The text as people see it, and where its links lead; media and the quoted are no links."""
    if not isinstance(told, str):
        raise SetAside("a post without its text")
    links: list[str] = []
    urls = entities.get("urls")
    for url in map(_inner, urls if isinstance(urls, list) else ()):
        short = _string(url.get("url"))
        leads = _string(url.get("unwound_url") or url.get("expanded_url"))
        is_quoted = quoted is not None and leads.rstrip("/").endswith(f"/status/{quoted}")
        if url.get("media_key") or is_quoted:
            told = told.replace(short, "") if short else told
        elif leads.startswith(("http://", "https://")):
            links.append(leads)
            told = told.replace(short, leads) if short else told
    return sound(html.unescape(told)).strip(), tuple(dict.fromkeys(links))


def _seen(told: Mapping[str, Any], aside: Aside) -> str:
    """What is to be seen in a post of pictures only, as its author describes it."""
    keys = _inner(told.get("attachments")).get("media_keys")
    media = [_inner(aside.media.get(str(key))) for key in keys] if isinstance(keys, list) else []
    return "\n".join(text for one in media if (text := _string(one.get("alt_text"))))


def _counts(metrics: Any) -> dict[str, float]:
    return {
        str(name).removesuffix("_count"): float(count)
        for name, count in _inner(metrics).items()
        if isinstance(count, int) and not isinstance(count, bool)
    }


def _names(values: Any, field: str) -> tuple[str, ...]:
    found = [_string(_inner(value).get(field)) for value in values or ()]
    return tuple(name for name in found if name)


def _by(values: Any, field: str) -> dict[str, Mapping[str, Any]]:
    told = values if isinstance(values, list) else ()
    return {str(value[field]): value for value in map(_inner, told) if field in value}


def _digits(number: Any) -> str | None:
    text = str(number) if isinstance(number, int | str) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= 19 else None


def _inner(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _string(value: Any) -> str:
    return sound(value) if isinstance(value, str) else ""
