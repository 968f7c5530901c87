"""Facebook's Graph API on loopback: a page's edges, comments within posts, errors with codes."""

from datetime import datetime
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, document

PAGE = "777"
TOKEN = "page-token"


class Facebook(Platform):
    """Posts and comments by their numbers; ``usage`` is what answers say of the limits."""

    def __init__(self) -> None:
        super().__init__()
        self.tagged: dict[str, dict[str, Any]] = {}
        self.posts: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, dict[str, dict[str, Any]]] = {}
        self.usage: tuple[tuple[str, str], ...] = ()

    def tag(self, number: int, at: datetime, text: str, **more: Any) -> dict[str, Any]:
        """A post of somebody who names the page."""
        self.tagged[f"9_{number}"] = _thing(f"9_{number}", at, text, more)
        return self.tagged[f"9_{number}"]

    def post(self, number: int, at: datetime, text: str, **more: Any) -> dict[str, Any]:
        """A post on the page, by the page unless it says otherwise."""
        name = f"{PAGE}_{number}"
        self.posts[name] = _thing(name, at, text, {"from": {"id": PAGE, "name": "Acme"}} | more)
        return self.posts[name]

    def comment(
        self, number: int, at: datetime, text: str, post: int = 1, **more: Any
    ) -> dict[str, Any]:
        """A comment on a post of the page."""
        name = f"{post}_{number}"
        kept = self.comments.setdefault(f"{PAGE}_{post}", {})
        kept[name] = _thing(name, at, text, more)
        return kept[name]

    def delete(self, name: str) -> None:
        """It is gone, and what stands under it."""
        for shelf in (self.tagged, self.posts, *self.comments.values()):
            shelf.pop(name, None)
        self.comments.pop(name, None)

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(190, 463)
        _, _, number, *edge = asked.path.split("/")
        everything = self.tagged | self.posts
        for shelf in self.comments.values():
            everything = everything | shelf
        if number != PAGE and number not in everything:
            return error(100, 33)
        if not edge:
            if "story" in asked.params["fields"] or "parent" in asked.params["fields"]:
                return error(100, None)
            return document(everything[number], *self.usage)
        if edge == ["comments"]:
            return document(self._comments(number, asked.params), *self.usage)
        shelf = self.tagged if edge == ["tagged"] else self.posts
        since = int(asked.params.get("since", 0))
        told = _page([one for one in shelf.values() if _at(one) >= since], asked.params)
        if edge == ["feed"]:
            limit = asked.params["fields"].partition(".limit(")[2].partition(")")[0]
            told["data"] = [self._commented(one, limit) for one in told["data"]]
        return document(told, *self.usage)

    def _commented(self, post: dict[str, Any], limit: str) -> dict[str, Any]:
        if not self.comments.get(post.get("id", "")):
            return post
        return post | {"comments": self._comments(post["id"], {"limit": limit})}

    def _comments(self, number: str, params: dict[str, str]) -> dict[str, Any]:
        return _page(list(self.comments.get(number, {}).values()), params)


def error(code: int, subcode: int | None, status: int = 400) -> Fault:
    """An error as the Graph API has it."""
    told: dict[str, Any] = {"message": "sekrit words", "type": "OAuthException", "code": code}
    if subcode is not None:
        told["error_subcode"] = subcode
    return document({"error": told | {"fbtrace_id": "AbC"}}, status=status)


def _thing(name: str, at: datetime, text: str, more: dict[str, Any]) -> dict[str, Any]:
    told = {
        "id": name,
        "message": text,
        "created_time": at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "permalink_url": f"https://www.facebook.com/{name}",
        "from": {"id": "31", "name": "Alice"},
    }
    return {field: value for field, value in (told | more).items() if value is not None}


def _at(thing: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(thing["created_time"]).timestamp()
    except ValueError:
        return 1e12


def _page(things: list[dict[str, Any]], params: dict[str, str]) -> dict[str, Any]:
    """Newest first; the cursor is a place, and the last page has one without a next."""
    things = sorted(things, key=lambda one: (-_at(one), one["id"]))
    start, limit = int(params.get("after", 0)), int(params.get("limit", 25))
    data = things[start : start + limit]
    paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(start + limit)}}
    if start + limit < len(things):
        paging["next"] = "https://graph.facebook.com/next?access_token=sekrit"
    return {"data": data, "paging": paging} if data else {"data": data}
