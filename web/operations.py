"""What operators and their machines ask a process: metrics, and whether it lives and is ready."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.hooks import Hook
from web.hooks import route as hook_route
from web.security import Guard


class Operations(Protocol):
    """What a process knows of itself. Each call may block for a few seconds, never for long."""

    def metrics(self) -> tuple[bytes, str]:
        """The metrics and their content type."""
        ...

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether it turns, and what does not."""
        ...

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether all it needs answers, and what does not, with what to mend."""
        ...

    def report(self) -> dict[str, Any]:
        """What ``groundswell status`` shows. Raises TryLater."""
        ...


def routes(operations: Operations) -> list[Route]:
    """``/metrics``, ``/livez`` and ``/readyz``, and the report at ``/api/health``.

    ``/livez`` and ``/readyz`` answer 200, or 503 with the reasons in JSON.
    """

    async def metrics(_: Request) -> Response:
        text, kind = await run_in_threadpool(operations.metrics)
        return Response(text, headers={"Content-Type": kind})

    def health(
        ask: Callable[[], tuple[bool, dict[str, Any]]],
    ) -> Callable[..., Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            is_fine, told = await run_in_threadpool(ask)
            return _json(told, 200 if is_fine else 503)

        return answer

    async def report(_: Request) -> Response:
        return _json(await run_in_threadpool(operations.report), 200)

    return [
        Route("/metrics", metrics),
        Route("/livez", health(operations.live)),
        Route("/readyz", health(operations.ready)),
        Route("/api/health", report),
    ]


def create_app(
    operations: Operations, hooks: Callable[[str], Hook | None] = lambda _name: None
) -> Starlette:
    """The routes alone, for a role that has no page; refuses foreign hosts as the page does.

    ``hooks`` finds the source of a name that others push to.
    """

    async def refused(_: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        return _json({"error": str(getattr(error, "detail", error))}, code)

    return Starlette(
        routes=[
            *(route for route in routes(operations) if route.path != "/api/health"),
            hook_route(hooks),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: refused},
    )


def _json(told: dict[str, Any], code: int) -> Response:
    text = orjson.dumps(told, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    return Response(text, code, media_type="application/json")
