"""Google on loopback: tokens for a service account, and the reviews of an app, a week of them."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipeline.clock import ManualClock
from tests.servers.platform import Asked, Fault, Platform, document

WEEK = timedelta(days=7)
#: Whom the library signs for, wherever it sends what it signed.
AUDIENCE = "https://oauth2.googleapis.com/token"


class GooglePlay(Platform):
    """Reviews by number, the last written first. ``tokens`` are those it takes now."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.reviews: dict[int, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.granted = 0
        self.refusal: dict[str, str] | None = None
        self.page = 100
        self._key = rsa.generate_private_key(65_537, 2_048)

    @property
    def key(self) -> str:
        """The key of a service account as Google gives it out."""
        told = {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "k1",
            "private_key": self._key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ).decode(),
            "client_email": "reader@acme.example",
            "token_uri": f"{self.url}/token",
        }
        return json.dumps(told)

    def post(self, number: int, at: datetime, body: str, **more: Any) -> None:
        """A review; ``more`` goes into the author's comment."""
        written = {"seconds": str(int(at.timestamp())), "nanos": at.microsecond * 1_000}
        comment = {"text": f"\t{body}", "lastModified": written, "starRating": 1} | more
        self.reviews[number] = {"authorName": "Alice", "comments": [{"userComment": comment}]}

    def answer_review(self, number: int, at: datetime, text: str) -> None:
        """The developer's reply."""
        written = {"seconds": str(int(at.timestamp()))}
        comments = self.reviews[number]["comments"][:1]
        reply = {"developerComment": {"text": text, "lastModified": written}}
        self.reviews[number]["comments"] = [*comments, reply]

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.path == "/token":
            return self._grant(asked)
        if asked.path != "/androidpublisher/v3/applications/com.acme.shop/reviews":
            return Fault(404, b"{}")
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return document({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status=401)
        found = sorted(
            ((self._at(one), number) for number, one in self.reviews.items()), reverse=True
        )
        kept = [number for at, number in found if at > self.clock.now() - WEEK]
        start = int(asked.params.get("token", "0"))
        size = min(self.page, int(asked.params.get("maxResults", "10")))
        numbers = kept[start : start + size]
        if not numbers:
            return document({})
        told: dict[str, Any] = {
            "reviews": [{"reviewId": f"gp:{number}"} | self.reviews[number] for number in numbers]
        }
        if start + size < len(kept):
            told["tokenPagination"] = {"nextPageToken": str(start + size)}
        return document(told)

    def _grant(self, asked: Asked) -> Fault:
        """A token for a signed word of the account."""
        if self.refusal is not None:
            return document(self.refusal, status=400)
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        told = jwt.decode(form["assertion"], self._key.public_key(), ["RS256"], audience=AUDIENCE)
        assert told["scope"] == "https://www.googleapis.com/auth/androidpublisher"
        self.granted += 1
        token = f"token-{self.granted}"
        self.tokens.add(token)
        return document({"access_token": token, "expires_in": 3_600, "token_type": "Bearer"})

    def _at(self, review: dict[str, Any]) -> datetime:
        written = review["comments"][0]["userComment"]["lastModified"]
        seconds = int(written["seconds"]) + written.get("nanos", 0) / 1e9
        return datetime.fromtimestamp(seconds, self.clock.now().tzinfo)
