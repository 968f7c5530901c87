"""Hacker News on loopback: Algolia's search (newest first) and Firebase's items and changes."""

import re
from datetime import datetime
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, document


class HackerNews(Platform):
    """Items by number. ``updates`` is Firebase's list of changes."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[int, dict[str, Any]] = {}
        self.updates: list[int] = []

    def post(self, number: int, at: datetime, text: str, **more: Any) -> None:
        """A story."""
        self.items[number] = {
            "id": number,
            "type": "story",
            "by": "alice",
            "time": int(at.timestamp()),
            "title": text,
        } | more

    def comment(self, number: int, at: datetime, html: str, parent: int, **more: Any) -> None:
        """A comment; its text is HTML."""
        self.post(number, at, "")
        self.items[number] |= {"type": "comment", "text": html, "parent": parent, "title": None}
        self.items[number] |= more

    def change(self, number: int, **fields: Any) -> None:
        """Changes an item; it stands in the list of changes."""
        self.items[number] |= fields
        self.updates.append(number)

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.path == "/api/v1/search_by_date":
            return document({"hits": self._hits(asked.params)})
        if asked.path == "/v0/updates.json":
            return document({"items": self.updates, "profiles": []})
        if found := re.fullmatch(r"/v0/item/(\d+)\.json", asked.path):
            item = self.items.get(int(found[1]))
            if item is not None and item.get("deleted"):
                item = {name: item[name] for name in ("id", "type", "time", "deleted")}
            return document(item)
        return Fault(404)

    def _hits(self, params: dict[str, str]) -> list[dict[str, Any]]:
        low, high = 0, 1 << 40
        for bound in params["numericFilters"].split(","):
            sign, value = re.fullmatch(r"created_at_i(>=|<=)(\d+)", bound).groups()  # type: ignore[union-attr]
            low, high = (int(value), high) if sign == ">=" else (low, int(value))
        word = params.get("query", "").strip('"').casefold()
        found = [
            _hit(item)
            for item in self.items.values()
            if low <= item["time"] <= high
            and not item.get("deleted")
            and word in f"{item.get('title')} {item.get('text')}".casefold()
        ]
        found.sort(key=lambda hit: -hit["created_at_i"])
        return found[: int(params["hitsPerPage"])]


def _hit(item: dict[str, Any]) -> dict[str, Any]:
    is_comment = item["type"] == "comment"
    return {
        "objectID": str(item["id"]),
        "author": item["by"],
        "created_at_i": item["time"],
        "title": item["title"],
        "url": item.get("url"),
        "story_text": None if is_comment else item.get("text"),
        "comment_text": item.get("text") if is_comment else None,
        "parent_id": item.get("parent"),
        "story_id": item.get("story"),
        "_tags": [item["type"]],
    }
