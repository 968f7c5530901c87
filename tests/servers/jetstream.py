"""A server that speaks Jetstream (versions 1 and 2) on loopback, with frames that a test gives."""

import json
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

#: Where version 2 is spoken, with the same events.
SECOND = "/xrpc/network.bsky.jetstream.subscribeEvents"


class Jetstream:
    """Sends its frames from the asked-for cursor on (inclusive), then what is still pushed.

    ``farewell``: after so many frames on a connection it closes the connection cleanly, with
    ``code`` (None: it breaks off without a word). ``refusal``: status and headers for who connects.
    ``keeps_from``: what is older (``time_us``) is forgotten; a cursor there is silently moved on.
    ``begins_with_new``: who names no cursor is told what comes from now on, as by real ones, which
    is no good to tests that push first. Commits of collections not asked for are left out.
    """

    def __init__(self, frames: Iterable[dict[str, Any] | bytes] = ()) -> None:
        self.frames = list(frames)
        self.farewell: int | None = None
        self.keeps_from = 0
        self.begins_with_new = False
        self.code: int | None = 1000
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.asked: list[dict[str, str]] = []
        self.url = ""
        self._more = threading.Condition()
        self._stopped = False

    def push(self, *frames: dict[str, Any] | bytes) -> None:
        """Sends these to everyone who listens."""
        with self._more:
            self.frames += frames
            self._more.notify_all()

    def stop(self) -> None:
        """Lets the connections end."""
        with self._more:
            self._stopped = True
            self._more.notify_all()

    def handle(self, connection: ServerConnection) -> None:
        """One client, until it goes or we say farewell."""
        request = connection.request
        assert request is not None
        path = urlsplit(request.path)
        query = parse_qs(path.query)
        wanted = query.get("wantedCollections", query.get("collections", []))
        is_second = path.path == SECOND
        assert not is_second or connection.subprotocol == "xrpc.v1.json"
        first = 0 if "cursor" in query or not self.begins_with_new else len(self.frames)
        self.asked.append({name: values[0] for name, values in query.items()})
        since = max(int(query.get("cursor", ["0"])[0]), self.keeps_from)
        try:
            if is_second and since > int(query.get("cursor", [since])[0]):
                connection.send(json.dumps(_message("info", {"name": "OutdatedCursor"})))
            for sent, frame in enumerate(self._from(since, first)):
                if sent == self.farewell:
                    self._leave(connection)
                    return
                if not _is_wanted(frame, wanted):
                    continue
                if is_second and isinstance(frame, dict):
                    frame = _second(frame, sent)
                data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
                connection.send(data, text=True)
        except ConnectionClosed:
            return

    def greet(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a handshake, where it is another one than usual."""
        if self.refusal is None:
            return None
        status, headers = self.refusal
        answer = connection.respond(HTTPStatus(status), "no\n")
        for name, value in headers.items():
            answer.headers[name] = value
        return answer

    def _leave(self, connection: ServerConnection) -> None:
        if self.code is None:
            linger = struct.pack("ii", 1, 0)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.socket.close()
        else:
            connection.close(self.code)

    def _from(self, since: int, position: int) -> Iterator[dict[str, Any] | bytes]:
        """Frames from a position and time on, as they come; ends when stopped or at a farewell."""
        while True:
            with self._more:
                while position >= len(self.frames) and not self._stopped:
                    if self.farewell is not None:
                        return
                    self._more.wait()
                if self._stopped:
                    return
                frame = self.frames[position]
            position += 1
            if isinstance(frame, bytes) or frame.get("time_us", since) >= since:
                yield frame


def _message(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    named = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}"}
    return {"$type": "message", "payload": named | payload}


def _second(event: dict[str, Any], seq: int) -> dict[str, Any]:
    """An event as version 2 tells it; what has no kind is told as it is."""
    if "kind" not in event:
        return event
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=event["time_us"])
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    told = {"did": event["did"], "seq": seq, "time": stamp, "witnessedAt": stamp}
    kind = event["kind"]
    inner = event["commit"] if kind == "commit" else {kind: event[kind]}
    return _message(kind, told | inner)


def _is_wanted(frame: dict[str, Any] | bytes, collections: list[str]) -> bool:
    """Whether a listener asked for it; accounts, identities and bytes come unasked."""
    if not collections or isinstance(frame, bytes) or not isinstance(frame.get("commit"), dict):
        return True
    return frame["commit"].get("collection") in collections


@contextmanager
def jetstream(frames: Iterable[dict[str, Any] | bytes] = ()) -> Iterator[Jetstream]:
    """A running server on a free port of this machine."""
    speaker = Jetstream(frames)
    server: Server
    with serve(
        speaker.handle,
        "127.0.0.1",
        0,
        compression=None,
        process_request=speaker.greet,
        select_subprotocol=lambda _, offered: offered[0] if offered else None,
    ) as server:
        port = server.socket.getsockname()[1]
        speaker.url = f"ws://127.0.0.1:{port}/subscribe"
        thread = threading.Thread(target=server.serve_forever, name="jetstream", daemon=True)
        thread.start()
        try:
            yield speaker
        finally:
            speaker.stop()
            server.shutdown()
            thread.join()


def commit(number: int, time_us: int, text: str = "", **more: Any) -> dict[str, Any]:
    """A post of an invented account as Jetstream tells it; ``more`` goes into the record."""
    record = {
        "$type": "app.bsky.feed.post",
        "createdAt": "2026-03-02T09:00:00.000Z",
        "langs": ["en"],
        "text": text,
    }
    return {
        "did": f"did:plc:author{number}",
        "time_us": time_us,
        "kind": "commit",
        "commit": {
            "rev": "3made",
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": f"post{number}",
            "record": record | more,
            "cid": "bafymade",
        },
    }


def changed(event: dict[str, Any], time_us: int, text: str) -> dict[str, Any]:
    """The edit of a post."""
    record = event["commit"]["record"] | {"text": text}
    edit = event["commit"] | {"operation": "update", "record": record}
    return event | {"time_us": time_us, "commit": edit}


def deleted(event: dict[str, Any], time_us: int) -> dict[str, Any]:
    """The deletion of a post, which brings no record."""
    kept = {k: v for k, v in event["commit"].items() if k not in {"record", "cid"}}
    return event | {"time_us": time_us, "commit": kept | {"operation": "delete"}}


def account(number: int, time_us: int, *, active: bool, status: str = "") -> dict[str, Any]:
    """What became of an account."""
    did = f"did:plc:author{number}"
    told = {"active": active, "did": did, "seq": 1, "time": "2026-03-02T09:00:00Z"}
    if status:
        told["status"] = status
    return {"did": did, "time_us": time_us, "kind": "account", "account": told}


def identity(number: int, time_us: int, handle: str) -> dict[str, Any]:
    """The handle of an account."""
    did = f"did:plc:author{number}"
    told = {"did": did, "handle": handle, "seq": 1, "time": "2026-03-02T09:00:00Z"}
    return {"did": did, "time_us": time_us, "kind": "identity", "identity": told}
