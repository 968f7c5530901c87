"""Jira on loopback: a search for what changed, issues with changelog and comments; webhooks."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, document

CATEGORIES = {"Open": "new", "In Progress": "indeterminate", "Behoben": "done", "Closed": "done"}


class Jira(Platform):
    """Issues by key; ``now`` is the server's clock, by which searches count minutes back."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.issues: dict[str, dict[str, Any]] = {}
        self.now = now

    def create(self, key: str, at: datetime, summary: str, **more: Any) -> None:
        """A new issue."""
        self.issues[key] = issue(key, summary, at, **more)

    def move(self, key: str, at: datetime, status: str) -> None:
        """An issue gets another status."""
        told = self.issues[key]
        change = {"field": "status", "toString": status}
        entry = {"id": "1", "created": stamp(at), "items": [{"field": "assignee"}, change]}
        told["changelog"]["histories"].append(entry)
        told["fields"] |= {"updated": stamp(at), "status": state(status)}

    def comment(self, key: str, at: datetime, body: str) -> None:
        """Somebody says something."""
        fields = self.issues[key]["fields"]
        comments = fields["comment"]["comments"]
        comments.append({"id": f"{len(comments)}", "body": body, "created": stamp(at)})
        fields["updated"] = stamp(at)

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        # ann@acme.example:a-key
        if asked.headers.get("authorization") != "Basic YW5uQGFjbWUuZXhhbXBsZTphLWtleQ==":
            return document({"errorMessages": ["no"]}, status=401)
        if found := re.fullmatch(r"/rest/api/2/issue/([A-Z0-9-]+)", asked.path):
            told = self.issues.get(found[1])
            return Fault(404) if told is None else document(told)
        if asked.path != "/rest/api/2/search/jql" or self.now is None:
            return Fault(404)
        minutes = int(re.search(r'updated >= "-(\d+)m"', asked.params["jql"])[1])  # type: ignore[index]
        since = self.now() - timedelta(minutes=minutes)
        changed = [
            (datetime.fromisoformat(one["fields"]["updated"]), key)
            for key, one in self.issues.items()
        ]
        keys = [key for at, key in sorted(changed, reverse=True) if at >= since]
        begin, size = int(asked.params.get("nextPageToken", "0")), int(asked.params["maxResults"])
        listed = [
            {"id": key, "key": key, "fields": {"updated": self.issues[key]["fields"]["updated"]}}
            for key in keys[begin : begin + size]
        ]
        more = {"nextPageToken": str(begin + size)} if begin + size < len(keys) else {}
        return document({"issues": listed, "isLast": not more} | more)


def stamp(at: datetime) -> str:
    """A time as Jira writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def state(name: str) -> dict[str, Any]:
    """A status."""
    return {"name": name, "statusCategory": {"key": CATEGORIES[name]}}


def issue(key: str, summary: str, at: datetime, **more: Any) -> dict[str, Any]:
    """An issue as answers and events have it."""
    fields = {
        "summary": summary,
        "status": state("Open"),
        "priority": {"name": "Highest"},
        "components": [{"id": "10", "name": "Checkout"}],
        "created": stamp(at),
        "updated": stamp(at),
        "comment": {"comments": [], "total": 0},
    }
    return {"id": key, "key": key, "fields": fields | more, "changelog": {"histories": []}}


def event(kind: str, at: datetime, told: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a webhook delivers: the issue without its changelog."""
    bare = {name: value for name, value in told.items() if name != "changelog"}
    return {"timestamp": int(at.timestamp() * 1000), "webhookEvent": kind, "issue": bare} | more
