"""A status page on loopback: documents that a test gives it, with validators as real ones have."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import xxhash

from tests.servers.platform import Asked, Fault, Platform, document


class Page:
    """Answers with what ``documents`` holds under a path's last part; what is missing is 404.

    ``answer`` set to (status, headers, body) is given instead of everything.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self.asked: list[tuple[str, int]] = []
        self.url = ""

    def show(self, *incidents: dict[str, Any], updated_at: str = "2026-03-02T09:00:00Z") -> None:
        """The page lists these, the unresolved ones in its summary too."""
        page = {"id": "page1", "name": "Acme", "updated_at": updated_at}
        unresolved = [one for one in incidents if one["status"] != "resolved"]
        self.documents["incidents.json"] = {"page": page, "incidents": list(incidents)}
        self.documents["summary.json"] = {
            "page": page,
            "components": [],
            "incidents": unresolved,
            "scheduled_maintenances": [],
        }

    def reply(self, path: str, etag: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for one request."""
        name = path.rpartition("/")[2]
        status, headers, body = self.answer or self._document(name)
        if self.answer is None and status == 200 and etag == headers["ETag"]:
            status, body = 304, b""
        self.asked.append((name, status))
        return status, headers, body

    def _document(self, name: str) -> tuple[int, dict[str, str], bytes]:
        if name not in self.documents:
            return 404, {}, b"not here"
        body = json.dumps(self.documents[name]).encode()
        return 200, {"ETag": f'"{xxhash.xxh3_64_hexdigest(body)}"'}, body


class Pages(Platform):
    """A status page that can misbehave: it lists the ten newest, its summary all that are open."""

    LISTED = 10

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, dict[str, Any]] = {}

    def put(self, told: dict[str, Any]) -> None:
        """Opens an incident, or changes it."""
        self.incidents[told["id"]] = told

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        name = asked.path.rpartition("/")[2]
        newest = list(self.incidents.values())[::-1]
        if name == "summary.json":
            newest = [one for one in newest if one["status"] != "resolved"]
        elif name == "incidents.json":
            newest = newest[: self.LISTED]
        else:
            return Fault(404)
        return document({"page": {"id": "page1", "name": "Acme"}, "incidents": newest})


@contextmanager
def status_page() -> Iterator[Page]:
    """A running page on a free port of this machine."""
    page = Page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = page.reply(self.path, self.headers.get("If-None-Match"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        page.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield page
        finally:
            server.shutdown()
            thread.join()


def incident(number: str, *updates: tuple[str, str], **more: Any) -> dict[str, Any]:
    """An incident as a page tells it; an update is its status and its time, the first one first."""
    said = [
        {
            "id": f"{number}-{position}",
            "status": status,
            "body": f"update {position} of {number}",
            "created_at": at,
            "updated_at": at,
            "display_at": at,
            "affected_components": None,
        }
        for position, (status, at) in enumerate(updates)
    ]
    return {
        "id": number,
        "name": f"Incident {number}",
        "status": updates[-1][0],
        "created_at": updates[0][1],
        "updated_at": updates[-1][1],
        "resolved_at": updates[-1][1] if updates[-1][0] == "resolved" else None,
        "impact": "minor",
        "shortlink": f"https://status.example/{number}",
        "started_at": updates[0][1],
        "incident_updates": said[::-1],
        "components": [{"id": "c1", "name": "Checkout", "group": False}],
    } | more
