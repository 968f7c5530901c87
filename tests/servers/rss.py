"""A feed on loopback: RSS 2.0 or Atom, with validators; it lists its newest entries only."""

from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Any

import xxhash

from tests.servers.platform import Asked, Fault, Platform


class Rss(Platform):
    """Entries by id, in the order they were added. ``most`` is how many the document lists."""

    def __init__(self, most: int = 10) -> None:
        super().__init__()
        self.most = most
        self.entries: dict[str, dict[str, Any]] = {}
        self.raw: bytes | None = None

    def add(self, number: str, at: datetime | None, title: str | None, **more: str) -> None:
        """An entry."""
        self.entries[number] = {"at": at, "title": title, **more}

    def reply(self, asked: Asked) -> Fault:
        """The document, or that it has not changed."""
        body = self.raw or self._document()
        tag = f'"{xxhash.xxh3_64_hexdigest(body)}"'
        if asked.headers.get("if-none-match") == tag:
            return Fault(304)
        return Fault(200, body, (("Content-Type", "application/rss+xml"), ("ETag", tag)))

    def _document(self) -> bytes:
        newest = list(self.entries.items())[::-1][: self.most]
        items = "".join(_item(number, told) for number, told in newest)
        channel = f"<title>Status of Acme</title><language>en-GB</language>{items}"
        return f'<rss version="2.0"><channel>{channel}</channel></rss>'.encode()


def _item(number: str, told: dict[str, Any]) -> str:
    parts = [f"<guid>{escape(number)}</guid>"] if number else []
    if told["title"] is not None:
        parts.append(f"<title>{escape(told['title'])}</title>")
    if told["at"] is not None:
        parts.append(f"<pubDate>{format_datetime(told['at'])}</pubDate>")
    parts += [
        f"<{name}>{escape(value)}</{name}>"
        for name, value in told.items()
        if name not in {"at", "title"}
    ]
    return f"<item>{''.join(parts)}</item>"
