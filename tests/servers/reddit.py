"""Reddit on loopback: tokens, listings that end somewhere, search, inbox, ``api/info``."""

import base64
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from tests.servers.platform import Asked, Fault, Platform, document

LIMIT = 100
TOKEN = "/api/v1/access_token"
CLIENT = "acme-app:s3cret"


class Reddit(Platform):
    """Things by fullname. ``reach`` is how many of a listing can be had, ``rate`` what is told.

    Things in ``taken`` stand in no listing, but ``api/info`` still knows them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, dict[str, Any]] = {}
        self.taken: set[str] = set()
        self.inbox: list[str] = []
        self.closed: dict[str, Fault] = {}
        self.reach = 1_000
        self.rate = ("990.0", "300", "10")
        self.password = "hunter2"

    def submit(self, number: int, at: datetime, title: str, **more: Any) -> dict[str, Any]:
        """A text of /r/acme."""
        name = f"t3_{_base36(number)}"
        return self._add("t3", name, at, more, title=title, selftext="", is_self=True, **_PLACE)

    def comment(self, number: int, at: datetime, body: str, **more: Any) -> dict[str, Any]:
        """A comment on the text number 1."""
        name, parent = f"t1_{_base36(number)}", f"t3_{_base36(1)}"
        where = {"permalink": f"/r/acme/comments/{_base36(1)}/acme/{_base36(number)}/"}
        told = {"body": body, "link_id": parent, "parent_id": parent} | _PLACE | where
        return self._add("t1", name, at, more, **told)

    def delete(self, name: str) -> None:
        """Its author takes it away."""
        self._take(name, "[deleted]", author="[deleted]")
        del self.things[name]["author_fullname"]

    def remove(self, name: str) -> None:
        """A moderator takes it away; undone by what was there before."""
        self._take(name, "[removed]", removed_by_category="moderator")

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.path == TOKEN:
            return self._token(asked)
        if asked.headers.get("authorization") != "bearer a-token":
            return document({"message": "Unauthorized", "error": 401}, status=401)
        if asked.path == "/api/info/":
            names = asked.params["id"].split(",")[:LIMIT]
            return self._listing([name for name in names if name in self.things], {"limit": "100"})
        if asked.path == "/message/mentions":
            return self._listing(self.inbox, asked.params)
        _, _, place, listing, *slash = asked.path.split("/")
        if slash != ([] if listing == "new" else [""]):
            return Fault(302, b"", (("Location", f"{asked.path}/"),))
        if place in self.closed:
            return self.closed[place]
        kind = "t1" if listing == "comments" else "t3"
        names = [name for name in self.things if name.startswith(kind) and name not in self.taken]
        if listing == "search":
            term = asked.params["q"].strip('"').lower()
            names = [name for name in names if term in self.things[name]["title"].lower()]
        else:
            names = [name for name in names if self.things[name]["subreddit"] == place]
        return self._listing(names, asked.params)

    def _listing(self, names: list[str], params: dict[str, str]) -> Fault:
        """Newest first, 100 at most, and nothing beyond the reach."""
        if params:
            names = sorted(names, key=lambda one: -_created(self.things[one]))
        names = names[: self.reach]
        start = 0
        if after := params.get("after"):
            # After a thing that is gone Reddit has nothing.
            start = names.index(after) + 1 if after in names else len(names)
        page = names[start : start + min(int(params.get("limit", 25)), LIMIT)]
        more = page[-1] if page and start + len(page) < len(names) else None
        children = [{"kind": name[:2], "data": self.things[name]} for name in page]
        told = {"kind": "Listing", "data": {"after": more, "dist": len(page), "children": children}}
        remaining, reset, used = self.rate
        headers = {
            "x-ratelimit-remaining": remaining,
            "x-ratelimit-reset": reset,
            "x-ratelimit-used": used,
        }
        return document(told, *headers.items())

    def _token(self, asked: Asked) -> Fault:
        told = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        basic = base64.b64encode(CLIENT.encode()).decode()
        if asked.headers.get("authorization") != f"Basic {basic}":
            return document({"message": "Unauthorized", "error": 401}, status=401)
        if told["grant_type"] == "password" and told["password"] != self.password:
            return document({"error": "invalid_grant"})
        answer = {"access_token": "a-token", "expires_in": 3600, "scope": "*"}
        return document(answer | {"token_type": "bearer"})

    def _add(
        self, kind: str, name: str, at: datetime, more: dict[str, Any], **told: Any
    ) -> dict[str, Any]:
        common = {
            "name": name,
            "id": name.removeprefix(f"{kind}_"),
            "author": "alice",
            "author_fullname": "t2_alice",
            "created_utc": at.timestamp(),
            "edited": False,
            "score": 1,
        }
        self.things[name] = common | told | more
        return self.things[name]

    def _take(self, name: str, text: str, **more: Any) -> None:
        field = "body" if name.startswith("t1") else "selftext"
        self.things[name] |= {field: text} | more
        self.taken.add(name)


_PLACE = {"subreddit": "acme", "permalink": "/r/acme/comments/1/acme/"}


def _created(thing: dict[str, Any]) -> float:
    at = thing["created_utc"]
    return at if isinstance(at, float) else 1e12


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
