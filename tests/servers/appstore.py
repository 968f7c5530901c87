"""Apple on loopback: the public feed of reviews, and App Store Connect, which checks its tokens."""

from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers.platform import Asked, Fault, Platform, document

PAGE, PAGES = 50, 10


class AppStore(Platform):
    """Reviews by number, newest first. ``key`` is what tokens must be signed with."""

    def __init__(self) -> None:
        super().__init__()
        self.reviews: dict[int, dict[str, Any]] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.key = self._key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode()
        self.tokens: list[dict[str, Any]] = []
        self.page = 200

    def post(self, number: int, at: datetime, text: str, **more: Any) -> None:
        """A review. ``more``: title, rating, version, country, author; ``at`` was when written."""
        self.reviews[number] = {
            "at": at,
            "body": text,
            "title": "",
            "rating": 1,
            "version": "4.2.0",
            "country": "us",
            "author": "alice",
        } | more

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        parts = asked.path.strip("/").split("/")
        if asked.path.startswith("/v1/apps/"):
            return self._connected(asked)
        if len(parts) == 7 and parts[1:3] == ["rss", "customerreviews"]:
            return self._feed(parts[0], int(parts[3].removeprefix("page=")))
        return Fault(404, b"{}")

    def _newest(self) -> list[tuple[int, dict[str, Any]]]:
        return sorted(self.reviews.items(), key=lambda one: (one[1]["at"], one[0]), reverse=True)

    def _feed(self, country: str, page: int) -> Fault:
        found = [one for one in self._newest() if one[1]["country"] == country]
        last = min(PAGES, max(1, -(-len(found) // PAGE)))
        told = [_of_feed(*one) for one in found[(page - 1) * PAGE : page * PAGE]]
        base = f"https://itunes.apple.com/{country}/rss/customerreviews"
        feed: dict[str, Any] = {
            "author": {"name": {"label": "iTunes Store"}},
            "link": [
                {"attributes": {"rel": "self", "href": f"{base}/mostrecent/json"}},
                {"attributes": {"rel": "first", "href": f"{base}/page=1/id=7/sortby=x/xml?a=b"}},
                {"attributes": {"rel": "last", "href": f"{base}/page={last}/id=7/sortby=x/xml"}},
            ],
        }
        if told:  # a single entry is no list
            feed["entry"] = told if len(told) > 1 else told[0]
        return document({"feed": feed}) if page <= PAGES else Fault(400, b"<html>")

    def _connected(self, asked: Asked) -> Fault:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            known = self._key.public_key()
            audience = "appstoreconnect-v1"
            options = {"verify_exp": False, "verify_iat": False}  # tests have clocks of their own
            told = jwt.decode(token, known, ["ES256"], audience=audience, options=options)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            return document({"errors": [{"status": "401", "code": "NOT_AUTHORIZED"}]}, status=401)
        self.tokens.append(told | jwt.get_unverified_header(token))
        start = int(asked.params.get("cursor", "0"))
        found = self._newest()
        told = {"data": [_of_connect(*one) for one in found[start : start + self.page]]}
        links = {"self": f"{self.url}{asked.path}"}
        if start + self.page < len(found):
            links["next"] = f"https://elsewhere.example/v1?cursor={start + self.page}&limit=200"
        return document(told | {"links": links})


def _of_feed(number: int, review: dict[str, Any]) -> dict[str, Any]:
    country = review["country"]
    labels = {
        "im:version": review["version"],
        "im:rating": str(review["rating"]),
        "id": str(number),
        "title": review["title"],
        "updated": review["at"].isoformat(),
        "im:voteSum": "2",
        "im:voteCount": "3",
    }
    uri = f"https://itunes.apple.com/{country}/reviews/id{review['author']}"
    return {
        "author": {"uri": {"label": uri}, "name": {"label": review["author"]}, "label": ""},
        "content": {"label": review["body"], "attributes": {"type": "text"}},
    } | {name: {"label": value} for name, value in labels.items()}


def _of_connect(number: int, review: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "customerReviews",
        "id": f"00000000-{number:012d}",
        "attributes": {
            "rating": review["rating"],
            "title": review["title"],
            "body": review["body"],
            "reviewerNickname": review["author"],
            "createdDate": review["at"].isoformat(),
            "territory": {"us": "USA", "gb": "GBR"}[review["country"]],
        },
    }
