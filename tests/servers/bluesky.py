"""Bluesky's service on loopback: sessions, search, notifications, posts and profiles."""

import time
from datetime import datetime
from typing import Any

import jwt

from tests.servers.platform import Asked, Fault, Platform, document

SECRET = "a secret of at least thirty-two bytes"
PASSWORD = "abcd-efgh"
US = "did:plc:us"


class Bluesky(Platform):
    """Posts by number. ``notifications`` are numbers of posts said to the account, with reasons."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[int, dict[str, Any]] = {}
        self.notifications: list[tuple[int, str]] = []
        self.gone: set[str] = set()
        self.handles: dict[str, str] = {}
        self.logins = 0
        self.tokens: set[str] = set()
        self.ends_in = 7_200.0
        self.page = 100

    def post(self, number: int, at: datetime, text: str, **more: Any) -> dict[str, Any]:
        """A post of an account of its own; ``more`` goes into the record."""
        did = f"did:plc:author{number}"
        told = _told(at)
        record = {"$type": "app.bsky.feed.post", "text": text, "createdAt": told, "langs": ["en"]}
        self.posts[number] = {
            "uri": f"at://{did}/app.bsky.feed.post/post{number}",
            "cid": "bafymade",
            "author": {"did": did, "handle": f"author{number}.example"},
            "record": record | more,
            "indexedAt": told,
        }
        return self.posts[number]

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        method = asked.path.removeprefix("/xrpc/")
        if method == "com.atproto.server.createSession":
            return self._session(asked)
        if method == "com.atproto.identity.resolveHandle":
            did = self.handles.get(asked.params["handle"])
            nobody = {"error": "InvalidRequest", "message": "Unable to resolve handle"}
            return document({"did": did}) if did else document(nobody, status=400)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return document({"error": "ExpiredToken", "message": "Token has expired"}, status=400)
        answers = {
            "app.bsky.feed.searchPosts": self._search,
            "app.bsky.notification.listNotifications": self._notified,
            "app.bsky.feed.getPosts": self._posts,
            "app.bsky.actor.getProfiles": self._profiles,
        }
        return answers[method](asked) if method in answers else Fault(404, b"{}")

    def _session(self, asked: Asked) -> Fault:
        if PASSWORD.encode() not in asked.body:
            told = {"error": "AuthenticationRequired", "message": "Invalid identifier or password"}
            return document(told, status=401)
        self.logins += 1
        # The client looks at the end of a token by the machine's clock.
        claims = {"sub": US, "exp": int(time.time() + self.ends_in), "jti": str(self.logins)}
        token = jwt.encode(claims, SECRET, "HS256")
        self.tokens.add(token)
        names = {"did": US, "handle": "acme.example", "active": True}
        return document(names | {"accessJwt": token, "refreshJwt": token})

    def _there(self) -> list[dict[str, Any]]:
        found = [post for post in self.posts.values() if post["author"]["did"] not in self.gone]
        return sorted(found, key=_stands, reverse=True)

    def _search(self, asked: Asked) -> Fault:
        word = asked.params["q"].strip('"').casefold()
        low, high = asked.params.get("since", ""), asked.params.get("until", "~")
        found = [
            post
            for post in self._there()
            if word in str(post["record"].get("text")).casefold() and low <= _stands(post) < high
        ]
        return document({"posts": found[: min(self.page, int(asked.params["limit"]))]})

    def _notified(self, asked: Asked) -> Fault:
        there = {post["uri"] for post in self._there()}
        told = [
            self.posts[number] | {"reason": reason, "isRead": False}
            for number, reason in sorted(self.notifications, reverse=True)
            if self.posts[number]["uri"] in there
        ]
        start = int(asked.params.get("cursor", "0"))
        answer: dict[str, Any] = {"notifications": told[start : start + self.page]}
        if told[start + self.page :]:
            answer["cursor"] = str(start + self.page)
        return document(answer)

    def _posts(self, asked: Asked) -> Fault:
        wanted = asked.all("uris")
        return document({"posts": [one for one in self._there() if one["uri"] in wanted]})

    def _profiles(self, asked: Asked) -> Fault:
        found = [did for did in asked.all("actors") if did not in self.gone]
        return document({"profiles": [{"did": did, "handle": "a.example"} for did in found]})


def _stands(post: dict[str, Any]) -> str:
    created = post["record"].get("createdAt")
    indexed: str = post["indexedAt"]
    return min(created, indexed) if isinstance(created, str) else indexed


def _told(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
