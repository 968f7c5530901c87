"""X on loopback: recent search, look-up, rules and the filtered stream, as the API speaks them."""

import json
import queue
from datetime import datetime, timedelta
from typing import Any

from pipeline.clock import ManualClock
from pipeline.values import to_ms
from tests.servers.platform import Asked, Fault, Platform, Write, document

#: Milliseconds since 1970 at which ids begin to count.
FIRST_MS = 1_288_834_974_657
CHUNKED = (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))


def id_at(at: datetime, number: int = 0) -> str:
    """An id made at that time."""
    return str((to_ms(at) - FIRST_MS << 22) + number)


def rfc(at: datetime) -> str:
    """A time as X writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class X(Platform):
    """Posts by id, and what stands beside them. ``push`` tells those who stream at that moment."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.posts: dict[str, dict[str, Any]] = {}
        self.users = {"7": {"id": "7", "username": "alice", "created_at": "2020-01-01T00:00:00Z"}}
        self.aside: dict[str, list[dict[str, Any]]] = {}
        self.gone: dict[str, str] = {}
        self.rules: dict[str, dict[str, str]] = {}
        self.rule_errors: list[dict[str, Any]] = []
        self.rule_status = 201
        self.jobs: dict[str, str] = {}
        self.uploads: dict[str, list[str]] = {}
        self.storage_headers: list[dict[str, str]] = []
        self.streams: list[queue.Queue[bytes | None]] = []
        self.connects: list[datetime] = []
        self.is_mute = False
        self.stream_fault: Fault | None = None

    def post(self, number: int, at: datetime, text: str, **more: Any) -> dict[str, Any]:
        """A post."""
        made = {
            "id": id_at(at, number),
            "text": text,
            "author_id": "7",
            "conversation_id": id_at(at, number),
            "created_at": rfc(at),
            "edit_history_tweet_ids": [id_at(at, number)],
            "lang": "en",
            "public_metrics": {"like_count": 1, "retweet_count": 0},
        } | more
        self.posts[made["id"]] = made
        return made

    def remove(self, number: str, why: str = "resource-not-found") -> None:
        """A post that is gone, or not to be seen."""
        self.gone[number] = why

    # ---- answers -------------------------------------------------------------------------------

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.path.startswith("/storage/"):
            return self._stored(asked)
        if asked.headers.get("authorization") != "Bearer a-token":
            return document({"title": "Unauthorized", "status": 401}, status=401)
        if asked.path == "/2/tweets/search/recent":
            return self._search(asked.params)
        if asked.path == "/2/tweets":
            return self._lookup(asked.params["ids"].split(","))
        if asked.path.startswith("/2/compliance/jobs"):
            return self._job(asked)
        if asked.path == "/2/tweets/search/stream/rules":
            return self._rules(asked)
        if asked.path == "/2/tweets/search/stream":
            self.connects.append(self.clock.now())
            return self.stream_fault or Fault(headers=CHUNKED, stream=self._stream)
        return Fault(404, b"{}")

    def _search(self, params: dict[str, str]) -> Fault:
        now = self.clock.now()
        start = datetime.fromisoformat(params["start_time"])
        if start < now - timedelta(days=7) or start > now - timedelta(seconds=10):
            return document({"title": "Invalid Request", "status": 400}, status=400)
        # A page's token keeps where the first page ended.
        token = params.get("next_token")
        end, skipped = (now - timedelta(seconds=30), 0) if token is None else _of(token)
        found = [
            post
            for post in self.posts.values()
            if start <= datetime.fromisoformat(post["created_at"]) <= end
            and post["id"] not in self.gone
        ]
        found.sort(key=lambda post: -int(post["id"]))
        most = int(params["max_results"])
        page = found[skipped : skipped + most]
        meta: dict[str, Any] = {"result_count": len(page)}
        if len(found) > skipped + most:
            meta["next_token"] = f"{end.isoformat()}_{skipped + most}"
        told = {"data": page, "includes": self._includes(), "meta": meta}
        return document(told if page else {"meta": meta})

    def _lookup(self, ids: list[str]) -> Fault:
        found = [self.posts[n] for n in ids if n in self.posts and n not in self.gone]
        errors = [
            {
                "resource_id": number,
                "resource_type": "tweet",
                "parameter": "ids",
                "title": "Not Found Error",
                "type": f"https://api.twitter.com/2/problems/{self._why(number)}",
            }
            for number in ids
            if number in self.gone or number not in self.posts
        ]
        told: dict[str, Any] = {"data": found, "includes": self._includes()} if found else {}
        return document(told | ({"errors": errors} if errors else {}))

    # ---- compliance jobs -----------------------------------------------------------------------

    def _job(self, asked: Asked) -> Fault:
        """One is made (POST) or looked after (GET); it is done when ``jobs`` says so."""
        if asked.method == "POST":
            number = str(900 + len(self.jobs))
            self.jobs[number] = "created"
            place = f"{self.url}/storage/{number}"
            urls = {"upload_url": f"{place}?up", "download_url": f"{place}?down"}
            return document({"data": {"id": number, "status": "created", **urls}})
        number = asked.path.rsplit("/", 1)[-1]
        return document({"data": {"id": number, "status": self.jobs[number]}})

    def _stored(self, asked: Asked) -> Fault:
        """Where ids are put and lists are; it belongs to another host, which gets no token."""
        number = asked.path.rsplit("/", 1)[-1]
        self.storage_headers.append(asked.headers)
        if asked.method == "PUT":
            self.uploads[number] = asked.body.decode().split()
            return Fault(200)
        reasons = {"resource-not-found": "deleted", "not-authorized-for-resource": "protected"}
        lines = [
            {"id": each, "action": "delete", "reason": reasons[self.gone[each]]}
            for each in self.uploads[number]
            if each in self.gone
        ]
        return Fault(200, "\n".join(map(json.dumps, lines)).encode())

    def _why(self, number: str) -> str:
        return self.gone.get(number, "resource-not-found")

    def _includes(self) -> dict[str, Any]:
        return {"users": list(self.users.values()), **self.aside}

    def _rules(self, asked: Asked) -> Fault:
        if asked.method == "GET":
            meta = {"sent": rfc(self.clock.now()), "result_count": len(self.rules)}
            rules = {"data": [*self.rules.values()]} if self.rules else {}
            return document({"meta": meta, **rules})
        told = json.loads(asked.body)
        if self.rule_errors:
            told = {"meta": {}, "errors": self.rule_errors}
            return document(told, status=self.rule_status)
        for rule in told.get("add", ()):
            number = str(1_000 + len(self.rules) + len(self.asked))
            self.rules[number] = {"id": number, **rule}
        for number in told.get("delete", {}).get("ids", ()):
            self.rules.pop(number, None)
        return document({"meta": {"sent": rfc(self.clock.now())}}, status=201)

    # ---- the stream ----------------------------------------------------------------------------

    def push(self, post: dict[str, Any], **more: Any) -> None:
        """A post, to every stream; its rule has no tag."""
        line = {"data": post, "includes": self._includes(), "matching_rules": [{"id": "1"}]} | more
        self.write(json.dumps(line).encode())

    def write(self, line: bytes | None) -> None:
        """A line, to every stream; None closes them cleanly."""
        for waiting in self.streams:
            waiting.put(line)
        if line is None:
            self.streams.clear()

    def _stream(self, write: Write) -> None:
        """Lines as they are pushed, with signs of life between."""
        waiting: queue.Queue[bytes | None] = queue.Queue()
        write(_chunk(b"\r\n"))
        self.streams.append(waiting)
        while not self.released.is_set():
            try:
                line = waiting.get(timeout=0.1)
            except queue.Empty:
                if self.is_mute:
                    continue
                line = b""
            if line is None:
                write(b"0\r\n\r\n")
                return
            write(_chunk(line + b"\r\n"))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _of(token: str) -> tuple[datetime, int]:
    end, _, skipped = token.rpartition("_")
    return datetime.fromisoformat(end), int(skipped)
