"""A platform's HTTP side on loopback: what a test makes of it, and how it misbehaves."""

import contextlib
import json
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""
    query: str = ""

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be given again and again."""
        return parse_qs(self.query).get(name, [])


class Fault(NamedTuple):
    """An answer, good or bad.

    ``kind`` "abort" resets the connection, "hang" never ends, "cut" ends in the middle, "stream" is
    what ``stream`` writes.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "answer"


class Platform(ABC):
    """Base of the platforms: ``reply`` answers; ``faults`` come first, one for each request.

    ``always`` is given to every request instead, while it is set.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.url = ""
        self.released = threading.Event()

    @abstractmethod
    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""

    def stream(self, asked: Asked, write: Callable[[bytes], None]) -> None:
        """Writes a stream until it is over, where the platform has one."""
        raise NotImplementedError(f"{type(self).__name__} has no stream")

    def answer(self, asked: Asked) -> Fault:
        """The answer, or the next fault."""
        self.asked.append(asked)
        if self.always is not None:
            return self.always
        return self.faults.pop(0) if self.faults else self.reply(asked)


def document(value: Any, *headers: tuple[str, str], status: int = 200) -> Fault:
    """A JSON document."""
    body = json.dumps(value).encode()
    return Fault(status, body, (("Content-Type", "application/json"), *headers))


def _asked(handler: BaseHTTPRequestHandler) -> Asked:
    """The request that a handler was called for."""
    parts = urlsplit(handler.path)
    params = {name: values[0] for name, values in parse_qs(parts.query).items()}
    headers = {name.lower(): value for name, value in handler.headers.items()}
    body = handler.rfile.read(int(headers.get("content-length", 0)))
    return Asked(parts.path, params, headers, handler.command, body, parts.query)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Ends a connection as a crash does."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True
    handler.connection.close()


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    """Answers as the platform says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = _asked(self)
            self._send(platform.answer(asked), asked)

        do_POST = do_PUT = do_GET  # noqa: N815  # the names that http.server looks for

        def _stream(self, asked: Asked, fault: Fault) -> None:
            self.send_response(200)
            for name, value in fault.headers or (("Content-Type", "text/event-stream"),):
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = True

            def write(data: bytes) -> None:
                self.wfile.write(data)
                self.wfile.flush()

            with contextlib.suppress(OSError):
                platform.stream(asked, write)

        def _send(self, fault: Fault, asked: Asked) -> None:
            if fault.kind in {"abort", "stream"}:
                (_reset(self) if fault.kind == "abort" else self._stream(asked, fault))
                return
            self.send_response(fault.status)
            for name, value in fault.headers:
                self.send_header(name, value)
            more = int(fault.kind in {"hang", "cut"})
            self.send_header("Content-Length", str(len(fault.body) + more))
            self.end_headers()
            self.wfile.write(fault.body)
            if more:
                self.wfile.flush()
                platform.released.wait(30 if fault.kind == "hang" else 0)
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def served(platform: Platform) -> Iterator[Platform]:
    """The platform on a free port of this machine; ``url`` says where."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients may go at any time."""

    with Server(("127.0.0.1", 0), _handler(platform)) as server:
        platform.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield platform
        finally:
            platform.released.set()
            server.shutdown()
            thread.join()
