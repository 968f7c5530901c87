"""Who may speak to the page, and what the page may do in a browser.

The page has no accounts: it listens on the loopback interface and trusts whoever sits at this
machine. What it must keep out is other web pages that the same person has open. They could reach
it by a name of their own that resolves to this machine (so the Host must be a loopback name), or
post to it from elsewhere (so a write needs our own origin and a header that no foreign page can
set without asking first).
"""

import hmac
import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
#: The header that marks a request of our own page, and its value.
MARK = ("x-requested-with", "groundswell")
# Any port is fine: a tunnel or a container may show the page under another one, and a foreign
# page cannot make a browser send one of these names.
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


class Guard:
    """ASGI middleware: refuses foreign hosts and foreign pages, sets the headers on the rest."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Passes the request on, or answers it with one clear line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = _refusal(Headers(scope=scope), scope["path"])
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            answer = JSONResponse({"error": refusal[1]}, status_code=refusal[0])
            await answer(scope, receive, send_guarded)


def _refusal(headers: Headers, path: str) -> tuple[int, str] | None:
    if not _LOOPBACK.fullmatch(headers.get("host", "")):
        return 421, "this page answers to localhost, 127.0.0.1 and [::1] only"
    # Following a link from elsewhere to the page itself is fine, reading its data is not.
    if path.startswith("/api/") and headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return 403, "another web page may not use this API"
    return None


def has_token(headers: Headers, token: str) -> bool:
    """Whether the request carries the token of this process, as the command line does."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and kind.lower() == "bearer" and same


def is_own_page(headers: Headers) -> bool:
    """Whether a write comes from our own page: same origin, and the header of its scripts."""
    name, value = MARK
    host = headers.get("host", "").lower()
    own = {f"http://{host}", f"https://{host}"}
    return headers.get("origin", "").lower() in own and headers.get(name) == value
