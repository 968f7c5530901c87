"""An instance of Mastodon on loopback: timelines, notifications, streams that repeat nothing."""

import json
import queue
from datetime import datetime
from functools import partial
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, Write, document

LIMIT = 40


class Mastodon(Platform):
    """Statuses by id; ids grow with time. ``push`` tells those who stream at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[int, dict[str, Any]] = {}
        self.notifications: list[int] = []
        self.came: dict[int, str] = {}  # when, where that is not when it was said
        self.streams: list[tuple[str, queue.Queue[bytes | None]]] = []

    def post(self, number: int, at: datetime, text: str, **more: Any) -> dict[str, Any]:
        """A public status with the tag #acme."""
        made = {
            "id": str(number),
            "created_at": at.isoformat().replace("+00:00", "Z"),
            "edited_at": None,
            "visibility": "public",
            "content": f"<p>{text}</p>",
            "spoiler_text": "",
            "language": "en",
            "url": f"https://social.example/@alice/{number}",
            "in_reply_to_id": None,
            "reblog": None,
            "account": {
                "id": "7",
                "acct": "alice",
                "url": "https://social.example/@alice",
                "created_at": "2019-04-01T00:00:00.000Z",
            },
            "tags": [{"name": "acme", "url": "https://social.example/tags/acme"}],
            "mentions": [],
        } | more
        self.statuses[number] = made
        return made

    def push(self, name: str, payload: Any) -> None:
        """An event, to every stream."""
        data = payload if isinstance(payload, str) else json.dumps(payload)
        self.write(f"event: {name}\ndata: {data}\n\n".encode())

    def write(self, data: bytes | None) -> None:
        """Bytes, to every stream; None closes them cleanly."""
        for _, waiting in self.streams:
            waiting.put(data)
        if data is None:
            self.streams.clear()

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.path.startswith("/api/v1/timelines/tag/"):
            return document(_page(list(self.statuses.values()), asked.params))
        if asked.path == "/api/v1/notifications":
            told = [self._notification(number) for number in self.notifications]
            return document(_page(told, asked.params))
        if asked.path.startswith("/api/v1/statuses/"):
            found = self.statuses.get(int(asked.path.rpartition("/")[2]))
            return (
                document({"error": "Record not found"}, status=404)
                if found is None
                else document(found)
            )
        if asked.path.startswith("/api/v1/streaming/"):
            return Fault(stream=partial(self._stream, asked.path))
        if asked.path.rstrip("/") == "/api/v2/instance":
            urls = {"streaming": self.url}
            return document({"domain": "social.example", "configuration": {"urls": urls}})
        if asked.path.rstrip("/") == "/api/v1/instance":
            return document({"uri": "social.example", "urls": {"streaming_api": self.url}})
        return Fault(404, b"{}")

    def _stream(self, path: str, write: Write) -> None:
        """Events as they are pushed, with signs of life between."""
        waiting: queue.Queue[bytes | None] = queue.Queue()
        self.streams.append((path, waiting))
        write(b":thump\n")
        while not self.released.is_set():
            try:
                data = waiting.get(timeout=0.1)
            except queue.Empty:
                write(b":thump\n")
                continue
            if data is None:
                return
            write(data)

    def _notification(self, number: int) -> dict[str, Any]:
        status = self.statuses[number]
        came = self.came.get(number, status["created_at"])
        told = {"id": str(1_000 + number), "type": "mention", "created_at": came}
        return told | {"account": status["account"], "status": status}


def _page(told: list[dict[str, Any]], params: dict[str, str]) -> list[dict[str, Any]]:
    """Newest first, as ``max_id`` and ``since_id`` ask; ``min_id`` is not asked for by us."""
    high, low = int(params.get("max_id", 1 << 60)), int(params.get("since_id", 0))
    found = sorted(told, key=lambda one: -int(one["id"]))
    return [one for one in found if low < int(one["id"]) < high][: int(params.get("limit", 20))]
