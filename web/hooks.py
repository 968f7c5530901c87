"""Where others push to: ``POST /api/hooks/NAME``, answered when what they sent is safe.

Some senders ask first, by ``GET``, whether the address is ours: a source with ``challenge`` says.
Who listens there knows the sender by a signature, so this needs no token. The page answers to
loopback names only: whoever lets senders in from outside puts a proxy before it that speaks TLS
and asks for ``localhost``.
"""

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.errors import TryLater


class Hook(Protocol):
    """A source that is pushed to."""

    @property
    def most_bytes(self) -> int:
        """The largest body it takes."""
        ...

    def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, float | None]:
        """Takes one delivery: status, one line, and after how many seconds to come back.

        Blocks until it is safe, for less than five seconds.
        """
        ...


def route(find: Callable[[str], Hook | None]) -> Route:
    """The address of all hooks; ``find`` gives the one of a name.

    ``find`` may raise TryLater: the sender is told to come back.
    """

    async def receive(request: Request) -> Response:
        try:
            hook = find(request.path_params["name"])
        except TryLater as reason:
            return _answer(503, str(reason), reason.after or 5.0)
        if hook is None:
            return _answer(404, "no source takes deliveries under this name")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > hook.most_bytes:
                return _answer(413, f"more than {hook.most_bytes:,} bytes")
        return _answer(*await run_in_threadpool(hook.receive, request.headers, bytes(body)))

    async def challenge(request: Request) -> Response:
        try:
            hook = find(request.path_params["name"])
        except TryLater as reason:
            return _answer(503, str(reason), reason.after or 5.0)
        ask = getattr(hook, "challenge", None)
        answer = None if ask is None else ask(request.query_params)
        if answer is None:
            return _answer(403, "no source here is asked like this")
        return PlainTextResponse(answer, headers={"X-Content-Type-Options": "nosniff"})

    async def either(request: Request) -> Response:
        return await (receive if request.method == "POST" else challenge)(request)

    return Route("/api/hooks/{name}", either, methods=["GET", "POST"])


def _answer(status: int, told: str, after: float | None = None) -> Response:
    headers = {} if after is None else {"Retry-After": str(math.ceil(after))}
    field = "told" if status < 300 else "error"
    body = orjson.dumps({field: told})
    return Response(body, status, headers=headers, media_type="application/json")
