"""The page and its HTTP API: which address gives what.

Pages are small shells; their scripts follow ``/api/stream`` and draw what comes. Everything that
may block (the warehouse, a decision on its way to the broker) runs in threads.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from pipeline.decoding import check
from pipeline.errors import GroundswellError, Misuse, SetAside, TryLater
from pipeline.model import HEADS, WHAT_AND_WHERE, Decision, Removal
from pipeline.twins import concerned, objection
from web.feed import Feed, encode
from web.hooks import Hook
from web.hooks import route as hook_route
from web.operations import Operations, routes
from web.parts import MOST_ROWS, Filters, Part
from web.security import Guard, has_token, is_own_page

if TYPE_CHECKING:
    from pipeline.ports import Clock, Warehouse

HERE = Path(__file__).parent
#: A decision is some hundred bytes, a list of what to forget some thousand.
MOST_BYTES = 256 * 1024
STATUS_OF: tuple[tuple[type[GroundswellError], int], ...] = (
    (SetAside, 400),
    (Misuse, 400),
    (TryLater, 503),
    (GroundswellError, 500),
)


def create_app(
    *,
    warehouse: "Callable[[], Warehouse | None]",
    decide: Callable[[Decision], None],
    clock: "Clock",
    token: str,
    status: Callable[[], dict[str, Any]],
    forget: Callable[[Sequence[Removal]], dict[str, Any]] | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    operations: Operations | None = None,
    hooks: Callable[[str], Hook | None] = lambda _name: None,
) -> Starlette:
    """The page as an ASGI application.

    ``warehouse`` gives None while the process is starting. ``decide`` hands a decision to the
    broker, ``forget`` erases and returns the receipt; both may block and raise TryLater. ``token``
    opens writes to the command line. ``status`` is asked about once a second: plain values, with
    ``notice`` shown to the reader. ``names`` are the names each head may give, for relabelling.
    ``operations`` answers for operators; without it there is only a sign of life. ``hooks`` finds
    the source of a name that others push to.
    """
    feed = Feed(warehouse=warehouse, clock=clock, status=status)
    api = Api(feed, clock=clock, token=token, decide=decide, forget=forget, names=names or {})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await feed.close()

    return Starlette(
        routes=[
            *pages(feed),
            *(routes(operations) if operations else [Route("/livez", live)]),
            Route("/api/feedback", api.feedback),
            Route("/api/incidents", api.incidents),
            Route("/api/incidents/{id:path}", api.incident),
            Route("/api/posts/{id:path}", api.post),
            Route("/api/sources", api.sources),
            Route("/api/status", api.status),
            Route("/api/stream", api.stream),
            Route("/api/names", api.heads),
            Route("/api/decisions", api.decide, methods=["POST"]),
            Route("/api/forget", api.forget, methods=["POST"]),
            hook_route(hooks),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: refused, GroundswellError: refused},
        lifespan=lifespan,
    )


def pages(feed: Feed) -> list[Route]:
    """The four pages. One of an id that is not there has the code 404, and shows it once it is."""
    templates = Jinja2Templates(HERE / "templates")

    def page(name: str, kind: str = "") -> Callable[[Request], Awaitable[Response]]:
        async def show(request: Request) -> Response:
            key = request.path_params.get("id", "")
            found = not kind or await is_there(kind, key)
            code = 200 if found else 404
            return templates.TemplateResponse(request, name, {"id": key}, status_code=code)

        return show

    async def is_there(kind: str, key: str) -> bool:
        try:
            return kind in await feed.read(Part("there", id=key))
        except TryLater:
            return True  # nobody knows yet: the page says so itself

    return [
        Route("/", page("feed.html")),
        Route("/incidents", page("incidents.html")),
        Route("/incidents/{id:path}", page("incident.html", "incident")),
        Route("/posts/{id:path}", page("post.html", "post")),
    ]


class Api:
    """What stands under ``/api``: JSON in, JSON out, errors as ``{"error": one clear line}``."""

    def __init__(
        self,
        feed: Feed,
        *,
        clock: "Clock",
        token: str,
        decide: Callable[[Decision], None],
        forget: Callable[[Sequence[Removal]], dict[str, Any]] | None,
        names: Mapping[str, Sequence[str]],
    ) -> None:
        self._feed = feed
        self._clock = clock
        self._token = token
        self._decide = decide
        self._forget = forget
        heads = (*HEADS, *WHAT_AND_WHERE)
        self._names = {head: list(names.get(head, ())) for head in heads}

    async def feedback(self, request: Request) -> Response:
        """The newest feedback: ``source``, ``track``, ``intent``, ``linked`` (yes, no), ``limit``.

        Texts come in the form the page shows; the warehouse's views have them in full.
        """
        part = Part("posts", _filters(request), limit=_limit(request, 200))
        return answer({"posts": await self._feed.read(part)})

    async def incidents(self, _: Request) -> Response:
        """All incidents, proposed ones first, each with its ``completeness``."""
        return answer({"incidents": await self._feed.read(Part("incidents"))})

    async def incident(self, request: Request) -> Response:
        """One incident: its updates, its posts with the reasons for their links, the crowd.

        ``completeness`` says how much was read of the time that its counts are of, from an hour
        before it began until its end or now; ``web.completeness.told`` has its fields.
        """
        key = request.path_params["id"]
        found = await self._feed.read(Part("incident", id=key))
        if found is None:
            raise HTTPException(404, "no incident has this id")
        part = Part("incident_posts", id=key, limit=_limit(request, 100))
        crowd = await self._feed.read(Part("crowd", id=key))
        posts = await self._feed.read(part)
        return answer({"incident": found, "crowd": crowd, "posts": posts})

    async def post(self, request: Request) -> Response:
        """One post with all its labels and links."""
        found = await self._feed.read(Part("post", id=request.path_params["id"]))
        if found is None:
            raise HTTPException(404, "no post has this id")
        return answer({"post": found})

    async def sources(self, _: Request) -> Response:
        """Up to when each source was read, and its gaps of the last 24 hours with their causes."""
        return answer({"sources": await self._feed.read(Part("sources"))})

    async def status(self, _: Request) -> Response:
        """How the process is: ``state`` is starting, running or troubled."""
        return answer(await self._feed.status())

    async def heads(self, _: Request) -> Response:
        """The names that each head may give."""
        return answer(self._names)

    async def stream(self, request: Request) -> Response:
        """Server-sent events of what one page follows: ``view``, and its filters or ``id``."""
        return StreamingResponse(
            self._feed.events(_followed(request)),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    async def decide(self, request: Request) -> Response:
        """Takes a Decision; ``id``, ``by`` and ``at`` are filled in. 202: it is on its way."""
        if not (is_own_page(request.headers) or has_token(request.headers, self._token)):
            raise HTTPException(403, "a decision comes from this page or with the token")
        given = await _body(request)
        filled = {"id": str(uuid.uuid4()), "by": "page", "at": self._clock.now()}
        decision = check(Decision, filled | {k: v for k, v in given.items() if v is not None})
        # Links follow a merge at once: one into nowhere would take them from their incident.
        known = {n: await self._feed.read(Part("incident", id=n)) for n in concerned(decision)}
        told = objection(
            decision,
            lambda number: (known[number] or {}).get("official_id"),
            lambda number: known[number] is not None,
        )
        if told is not None:
            raise HTTPException(404, told)
        await run_in_threadpool(self._decide, decision)
        return Response(decision.to_json(), 202, media_type="application/json")

    async def forget(self, request: Request) -> Response:
        """Erases ``mentions`` and ``authors`` (lists of ids); answers the receipt."""
        if not has_token(request.headers, self._token):
            raise HTTPException(403, "forget wants the token of this process")
        if self._forget is None:
            raise HTTPException(503, "this process cannot forget")
        removals = _removals(await _body(request), self._clock)
        return answer(await run_in_threadpool(self._forget, removals))


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(encode(value), status, media_type="application/json")


async def live(_: Request) -> Response:
    """The process is there, whatever it is doing."""
    return PlainTextResponse("ok")


async def refused(_: Request, error: Exception) -> Response:
    """Every error as one clear line."""
    if isinstance(error, HTTPException):
        return answer({"error": error.detail}, error.status_code)
    code = next((code for kind, code in STATUS_OF if isinstance(error, kind)), 500)
    response = answer({"error": str(error)}, code)
    if code == 503:
        response.headers["Retry-After"] = "1"
    return response


def _followed(request: Request) -> list[Part]:
    key = request.query_params.get("id", "")
    if len(key) > 2_000:
        raise HTTPException(400, "id is too long")
    filters = _filters(request)
    views = {
        "feed": [
            Part("posts", filters),
            Part("counts", filters),
            Part("incidents"),
            Part("menus"),
            Part("sources"),
        ],
        "incidents": [Part("incidents")],
        "incident": [
            Part("incident", id=key),
            Part("incident_posts", id=key, limit=_limit(request, 100)),
            Part("crowd", id=key),
            Part("incidents"),
        ],
        "post": [Part("post", id=key), Part("incidents")],
    }
    view = request.query_params.get("view", "feed")
    if view not in views:
        raise HTTPException(400, f"view is one of {', '.join(views)}")
    return views[view]


def _filters(request: Request) -> Filters:
    try:
        return Filters.of(request.query_params)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def _limit(request: Request, default: int) -> int:
    text = request.query_params.get("limit", str(default))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_ROWS:
        raise HTTPException(400, f"limit is a number from 1 to {MOST_ROWS}")
    return int(text)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent, bounded."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise HTTPException(413, f"more than {MOST_BYTES:,} bytes")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "the body is no JSON") from error
    if not isinstance(value, dict):
        raise HTTPException(400, "the body is a JSON object")
    return value


def _removals(given: Mapping[str, Any], clock: "Clock") -> list[Removal]:
    """What to erase. Raises SetAside."""
    now = clock.now()
    removals = []
    for field, scope in (("mentions", "mention"), ("authors", "author")):
        keys = given.get(field) or []
        if not isinstance(keys, list):
            raise HTTPException(400, f"{field} is a list of ids")
        for key in keys:
            what = {"removal": key, "kind": "erased", "at": now, "scope": scope}
            what |= {name: given.get(name) for name in ("by", "reason")}
            removals.append(check(Removal, what))
    if not removals:
        raise HTTPException(400, "name at least one of mentions, authors")
    return removals
