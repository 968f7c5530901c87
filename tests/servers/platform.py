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
from typing import Any, NamedTuple, TypeVar
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


Made = TypeVar("Made", bound="Platform")
#: Sends some bytes of an answer at once.
Write = Callable[[bytes], None]


class Fault(NamedTuple):
    """An answer, good or bad.

    ``kind`` "abort" resets the connection, "hang" never ends, "cut" ends in the middle. ``stream``
    is for an answer that has no end yet: it writes the body, and the answer is over when it is.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "answer"
    stream: Callable[[Write], None] | None = None


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

    def drip(self, write: Write) -> None:
        """For ``Fault.stream``: a space now and then, which keeps every timeout from coming."""
        while not self.released.wait(0.1):
            write(b" ")

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


class _Handler(BaseHTTPRequestHandler):
    """Answers as the platform says."""

    platform: Platform

    def do_GET(self) -> None:
        fault = self.platform.answer(_asked(self))
        if fault.kind == "abort":
            _reset(self)
        elif fault.stream is None:
            self._send(fault)
        else:
            self._stream(fault, fault.stream)

    do_POST = do_PUT = do_GET  # noqa: N815  # the names that http.server looks for

    def _stream(self, fault: Fault, stream: Callable[[Write], None]) -> None:
        self.send_response(fault.status)
        for name, value in fault.headers or (("Content-Type", "text/event-stream"),):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True

        def write(data: bytes) -> None:
            self.wfile.write(data)
            self.wfile.flush()

        with contextlib.suppress(OSError):
            stream(write)

    def _send(self, fault: Fault) -> None:
        self.send_response(fault.status)
        for name, value in fault.headers:
            self.send_header(name, value)
        more = int(fault.kind in {"hang", "cut"})
        self.send_header("Content-Length", str(len(fault.body) + more))
        self.end_headers()
        self.wfile.write(fault.body)
        if more:
            self.wfile.flush()
            self.platform.released.wait(30 if fault.kind == "hang" else 0)
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def served(platform: Made) -> Iterator[Made]:
    """The platform on a free port of this machine; ``url`` says where."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients may go at any time."""

    handler = type("Handler", (_Handler,), {"platform": platform})
    with Server(("127.0.0.1", 0), handler) as server:
        platform.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield platform
        finally:
            platform.released.set()
            server.shutdown()
            thread.join()
