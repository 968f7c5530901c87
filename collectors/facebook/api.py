"""Facebook's Graph API through python-facebook-api, without what that would do unasked.

Left alone, the library writes the token into every address, waits for ever, sleeps by the share of
the limits that is used up, and fails on a header with a field it does not know.
"""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import LONGEST, Limited, asked_pause, refusal
from collectors.kit.sessions import bounded
from collectors.kit.web import Stopped
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    from pyfacebook import GraphAPI

GRAPH: Final = "https://graph.facebook.com"
VERSION: Final = "v25.0"
#: Codes of errors: too many calls (of the app, of the user, of the page, of the business), …
TOO_MANY: Final = frozenset({4, 17, 32, 341, 613, 80001})
#: … a token that has expired or was taken back, or one that may not do this, …
TOKEN: Final = frozenset({3, 10, 102, 190, *range(200, 300)})
#: … and a thing that is not there, or not for us: code and subcode. Code 100 alone is a wrong
#: question, which says nothing of the thing.
MISSING: Final = frozenset({(100, 33), (803, None)})
WRONG: Final = 100
#: From this share of a limit on (percent) nothing is asked: at 100 the app is shut out.
NEARLY: Final = 95.0
#: Seconds until more may be asked, where Facebook does not say.
PAUSE: Final = 300.0


class Missing(TryLater):
    """What was asked for is not there, or not for us."""


class Wrong(TryLater):
    """A question that Facebook does not understand, or not of this thing."""


class FacebookApi:
    """Asks for one page. One thread uses it."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        token: SecretStr,
        secret: SecretStr | None,
        url: str = GRAPH,
    ) -> None:
        self._name = name
        self._clock = clock
        self._token = token
        self._secret = secret
        self._url = url.rstrip("/") + "/"
        self._host = urlsplit(url).netloc
        self._breaker = Breaker(name, "token_from")
        self._stop = threading.Event()
        self._answer: tuple[int, Mapping[str, str]] = (0, {})
        self._rest: datetime | None = None
        self._graph: GraphAPI | None = None

    def connection(
        self, number: str, edge: str, asked: Mapping[str, str], stop: threading.Event
    ) -> Mapping[str, Any]:
        """A page of an edge: ``data`` is a list. Raises TryLater (Missing), GiveUp."""
        told = self._asked(stop, lambda graph: graph.get_connection(number, edge, **asked))
        if not isinstance(told.get("data"), list):
            raise TryLater(f"{self._name}: {self._host} answers without a list")
        return told

    def thing(self, number: str, fields: str, stop: threading.Event) -> Mapping[str, Any]:
        """A post or a comment. Raises TryLater (Missing, Wrong), GiveUp."""
        told = self._asked(stop, lambda graph: graph.get_object(number, fields))
        if told.get("id") != number:
            raise TryLater(f"{self._name}: {self._host} answers with something else")
        return told

    def close(self) -> None:
        """Lets go of the connection; the next question opens another."""
        self._graph = None

    def _asked(self, stop: threading.Event, ask: Any) -> Mapping[str, Any]:
        self._stop = stop
        now = self._clock.now()
        if self._rest is not None and now < self._rest:
            seconds = (self._rest - now).total_seconds()
            raise Limited(f"{self._name}: {self._host} has little left for us", seconds)
        graph = self._graph = self._graph or self._connect()
        from pyfacebook import PyFacebookException
        from requests import RequestException

        self._answer = (0, {})
        try:
            told = ask(graph)
        except PyFacebookException as error:
            told = [getattr(error, name, None) for name in ("code", "error_subcode")]
            raise self._refusal(*(one if type(one) is int else None for one in told)) from None
        except (RequestException, ValueError, TypeError, KeyError, AttributeError):
            if stop.is_set():
                raise Stopped(f"{self._name}: told to stop") from None
            raise self._refusal() from None  # the library's words may quote an answer
        if not isinstance(told, Mapping):
            raise TryLater(f"{self._name}: {self._host} answers no object")
        self._breaker.accepted()
        return told

    def _refusal(self, code: int | None = None, subcode: int | None = None) -> TryLater | GiveUp:
        """What the last answer means; below 0 stand the library's own codes."""
        status, headers = self._answer
        told = f"{self._name}: {self._host} answers {status}, code {code}"
        if code is None or code < 0:
            code, told = None, f"{self._name}: {self._host} answers {status}, or no JSON"
        if code in TOO_MANY:
            return Limited(told, _left(headers) or asked_pause(headers, self._clock.now()) or PAUSE)
        if code in TOKEN or (code is None and status in REFUSED):
            return self._breaker.refused(self._host, status)
        if {(code, subcode), (code, None)} & MISSING:
            return Missing(told)
        if code == WRONG:
            return Wrong(told)
        if status == 0:
            return TryLater(f"{self._name}: cannot reach {self._host}")
        return refusal(told, status, headers, self._clock.now())

    def _connect(self) -> "GraphAPI":
        try:
            from pyfacebook import GraphAPI
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[facebook]'"
            raise GiveUp(f"{self._name}: wants python-facebook-api: {install}") from error

        class Discreet(GraphAPI):  # type: ignore[misc]  # it has no types
            def _append_token(self, args: dict[str, Any] | None) -> dict[str, Any]:
                told = super()._append_token(args)
                del told["access_token"]  # addresses stand in logs of all kinds
                return dict(told)

        token = self._token.get_secret_value()
        secret = None if self._secret is None else self._secret.get_secret_value()
        graph = Discreet(
            app_secret=secret,
            access_token=token,
            version=VERSION,
            base_url=self._url,
            sleep_on_rate_limit=False,
        )
        graph.rate_limit = self
        graph.session = bounded(lambda: self._stop.is_set())
        graph.session.headers["Authorization"] = f"Bearer {token}"
        graph.session.headers["User-Agent"] = "groundswell"
        graph.session.hooks["response"].append(self._note)
        return graph

    def _note(self, answer: Any, *_: Any, **__: Any) -> None:
        self._answer = (answer.status_code, answer.headers)

    def set_limit(self, headers: Mapping[str, str]) -> None:
        """What the library tells of each answer's headers, in the place of its own reading."""
        if _share(headers) < NEARLY:
            self._rest = None
            return
        seconds = min(_left(headers) or PAUSE, LONGEST)
        self._rest = self._clock.now() + timedelta(seconds=seconds)


def _usages(headers: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """What is used of the limits: of the app, and of the page's business."""
    found: list[Mapping[str, Any]] = []
    for name in ("x-app-usage", "x-business-use-case-usage", "x-page-usage"):
        try:
            told = load(headers.get(name, ""))
        except SetAside:
            continue
        if not isinstance(told, Mapping):
            continue
        found.append(told)
        for several in told.values():
            if isinstance(several, list):
                found.extend(one for one in several if isinstance(one, Mapping))
    return found


def _share(headers: Mapping[str, str]) -> float:
    """The largest share of a limit that is used, in percent."""
    names = ("call_count", "total_time", "total_cputime")
    told = [usage.get(name) for usage in _usages(headers) for name in names]
    return max((float(share) for share in told if isinstance(share, int | float)), default=0.0)


def _left(headers: Mapping[str, str]) -> float | None:
    """Seconds until more may be asked, where the answer says so (in minutes)."""
    told = [usage.get("estimated_time_to_regain_access") for usage in _usages(headers)]
    minutes = max((float(one) for one in told if isinstance(one, int | float)), default=0.0)
    return min(minutes * 60, LONGEST) if minutes > 0 else None
