"""tweepy, bounded: what it does by itself costs calls, money, time or secrecy, so it does not.

Its calls have no end in time, a 429 without a reset makes it ask again at once and for ever, its
stream connects again at once after a clean close and ends by the first error in a callback, and at
the level of debugging it logs the token and all texts.
"""

import io
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import refusal
from collectors.kit.web import Stopped
from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    import requests
    from tweepy import Client, StreamingClient

#: Seconds for connecting and between two pieces of an answer: a stop waits no longer than that.
PATIENCE: Final = 4.0
#: X sends a sign of life every 20 s; after so many seconds without one a stream is half open.
SILENCE: Final = 45.0
MOST_BYTES: Final = 32 * 1_048_576
_PIECE: Final = 65_536

T = TypeVar("T", "Client", "StreamingClient")


class Api:
    """One account's way to X. tweepy is imported with the first call. One thread uses it."""

    def __init__(self, name: str, clock: Clock, url: str, token: str) -> None:
        self._name = name
        self._clock = clock
        self._url = url
        self._host = urlsplit(url).netloc
        self._token = token
        self._breaker = Breaker(name, "token_from")
        self._answer: tuple[int, Mapping[str, str]] = (0, {})
        self._client: Client | None = None
        self._rules: StreamingClient | None = None
        self._stop = threading.Event()

    def client(self, stop: threading.Event) -> "Client":
        """Searching and looking up."""
        tweepy = self._tweepy()
        if self._client is None:
            self._client = self._bounded(tweepy.Client(self._token, return_type=dict))
        self._stop = stop
        made: Client = self._client
        return made

    def rules(self, stop: threading.Event) -> "StreamingClient":
        """The rules of the stream."""
        tweepy = self._tweepy()
        if self._rules is None:
            self._rules = self._bounded(tweepy.StreamingClient(self._token, return_type=dict))
        self._stop = stop
        made: StreamingClient = self._rules
        return made

    def asked(self, ask: Callable[[], Any]) -> dict[str, Any]:
        """The JSON object that a call gives. Raises TryLater, Answered, Limited or GiveUp."""
        from requests import RequestException
        from tweepy import TweepyException

        self._answer = (0, {})
        try:
            told = ask()
        except RequestException as error:
            raise TryLater(f"{self._name}: cannot reach {self._host}") from error
        except (TweepyException, ValueError, TypeError, AttributeError, KeyError) as error:
            # The library's words may quote the platform's, and with them a text.
            raise self._refusal() from error
        if not isinstance(told, dict):
            raise TryLater(f"{self._name}: {self._host} answers no JSON object")
        self._breaker.accepted()
        return told

    def _refusal(self) -> TryLater | GiveUp:
        status, headers = self._answer
        if status in REFUSED:
            return self._breaker.refused(self._host, status)
        message = f"{self._name}: {self._host} answers {status}, or no JSON"
        if status < 400:
            return TryLater(message)
        return refusal(message, status, headers, self._clock.now())

    def streaming(self, kind: Callable[[Any], type["StreamingClient"]]) -> "StreamingClient":
        """A client of a class made from tweepy's own one, for one connection of the stream."""
        return kind(self._tweepy().StreamingClient)(self._token)

    @property
    def status(self) -> int:
        """What the last call was answered; 0: nothing."""
        return self._answer[0]

    def _tweepy(self) -> Any:
        try:
            import tweepy
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[x]'"
            raise GiveUp(f"{self._name}: wants the package tweepy: {install}") from error
        for logger in ("tweepy.client", "tweepy.streaming"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)  # else the token and the texts
        return tweepy

    def _bounded(self, made: T) -> T:
        made.session.mount("https://", adapter(self._url, self._note, lambda: self._stop))
        return made

    def _note(self, answer: "requests.Response") -> None:
        self._answer = (answer.status_code, answer.headers)


def adapter(
    url: str,
    note: Callable[["requests.Response"], None],
    stop: Callable[[], threading.Event],
) -> Any:
    """How tweepy's requests travel: to ``url`` instead of X's own address, bounded.

    ``note`` hears of each answer before it is read; whole answers end when ``stop`` is set.
    """
    from requests import PreparedRequest, RequestException, Response
    from requests.adapters import HTTPAdapter

    place = urlsplit(url)

    class Bounded(HTTPAdapter):
        def send(
            self,
            request: PreparedRequest,
            stream: bool = False,
            timeout: Any = None,  # noqa: ARG002  # tweepy knows none, or another for streams
            verify: Any = True,
            cert: Any = None,
            proxies: Any = None,
        ) -> Response:
            parts = urlsplit(str(request.url))
            request.url = urlunsplit(parts._replace(scheme=place.scheme, netloc=place.netloc))
            seconds = (PATIENCE, SILENCE if stream else PATIENCE)
            answer = super().send(request, True, seconds, verify, cert, proxies)
            note(answer)
            return answer if stream else whole(answer)

    def whole(answer: Response) -> Response:
        """The answer with all of its body here. Raises RequestException for too much, Stopped."""
        parts, size = [], 0
        for part in answer.iter_content(_PIECE):
            size += len(part)
            if size > MOST_BYTES:
                raise RequestException("too much")
            if stop().is_set():
                raise Stopped("told to stop")
            parts.append(part)
        copy = Response()
        for name in ("status_code", "headers", "url", "request", "reason", "encoding"):
            setattr(copy, name, getattr(answer, name))
        copy.raw = io.BytesIO(b"".join(parts))
        return copy

    return Bounded()
