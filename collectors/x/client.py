"""tweepy, bounded: what it does by itself costs calls, money, time or secrecy, so it does not.

Its calls have no end in time, a 429 without a reset makes it ask again at once and for ever, its
stream connects again at once after a clean close and ends by the first error in a callback, and at
the level of debugging it logs the token and all texts.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import refusal
from collectors.kit.sessions import bounded
from collectors.kit.web import CONNECT, Stopped
from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    import requests
    from tweepy import Client, StreamingClient

#: X sends a sign of life every 20 s; after so many seconds without one a stream is half open.
SILENCE: Final = 45.0

#: What some answers mean.
SAYS: Final = {402: "X says that no credit is left (402)"}

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
            if self._stop.is_set():
                raise Stopped(f"{self._name}: told to stop") from error
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
        says = SAYS.get(status, f"{self._host} answers {status}, or no JSON")
        message = f"{self._name}: {says}"
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
        made.session = bounded(lambda: self._stop.is_set())
        redirect(made.session, self._url, self._note)
        return made

    def _note(self, answer: "requests.Response") -> None:
        self._answer = (answer.status_code, answer.headers)


def redirect(
    session: "requests.Session",
    url: str,
    note: Callable[["requests.Response"], None],
    silence: float | None = None,
) -> None:
    """Lets a session's requests travel to ``url`` instead of X's own address, and nowhere else.

    ``note`` hears of each answer before it is read. ``silence``: seconds that may pass between two
    pieces, for a stream.
    """
    from requests.adapters import HTTPAdapter

    place = urlsplit(url)

    class Travelling(HTTPAdapter):
        def send(
            self,
            request: "requests.PreparedRequest",
            stream: bool = False,
            timeout: Any = None,
            verify: Any = True,
            cert: Any = None,
            proxies: Any = None,
        ) -> "requests.Response":
            parts = urlsplit(str(request.url))
            request.url = urlunsplit(parts._replace(scheme=place.scheme, netloc=place.netloc))
            seconds = timeout if silence is None else (CONNECT, silence)
            answer = super().send(request, stream, seconds, verify, cert, proxies)
            note(answer)
            return answer

    session.max_redirects = 0
    session.auth = session.auth or _as_given
    for scheme in ("https://", "http://"):
        session.mount(scheme, Travelling())


def _as_given(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    """With an ``auth`` that does nothing, no ``.netrc`` takes the token's place."""
    return request
