"""The session that vendors' clients (praw, python-facebook-api) make their requests with.

Those clients wait as long as a server likes, hold answers of any size, follow redirects with the
credentials, put what a ``.netrc`` says in their place, and cannot be stopped. With this session
they do none of it.
"""

import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from collectors.kit.web import CONNECT, MOST_BYTES, READ

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

#: Seconds that a whole answer may take.
LONGEST: Final = 30.0
_PIECE: Final = 65_536


def bounded(
    is_stopped: Callable[[], bool],
    *,
    most_bytes: int = MOST_BYTES,
    connect: float = CONNECT,
    read: float = READ,
) -> "Session":
    """A session whose answers have arrived in full when they are returned.

    Raises what ``requests`` raises, also for answers that take too long, are too large, or are
    still coming when ``is_stopped``.
    """
    import requests
    from urllib3 import HTTPResponse
    from urllib3.exceptions import HTTPError

    class Bounded(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.auth = _as_given

        def send(self, request: "PreparedRequest", **given: Any) -> "Response":
            given |= {"stream": True, "allow_redirects": False, "timeout": (connect, read)}
            answer = super().send(request, **given)
            try:
                body = _body(answer.raw, is_stopped, most_bytes)
            except (HTTPError, OSError) as error:
                answer.close()
                raise requests.ConnectionError(type(error).__name__) from None
            answer.headers.pop("content-encoding", None)  # it is decoded
            answer.raw = HTTPResponse(
                BytesIO(body), status=answer.status_code, preload_content=False
            )
            return answer

    return Bounded()


def _as_given(request: "PreparedRequest") -> "PreparedRequest":
    """With an ``auth`` that does nothing, no ``.netrc`` is looked into."""
    return request


def _body(raw: Any, is_stopped: Callable[[], bool], most_bytes: int) -> bytes:
    """All pieces, as they come. Raises OSError."""
    until = time.monotonic() + LONGEST
    body = bytearray()
    while piece := raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > most_bytes or is_stopped() or time.monotonic() > until:
            raise OSError("too much, too slow, or no longer wanted")
    return bytes(body)
