"""Reddit's API through praw, with everything switched off that praw would do unasked.

Left alone, praw sleeps up to ten minutes to stay within the rate, asks again up to two times when
a server fails, sends a question for every field that a thing lacks, reads ``praw.ini`` of the
folder it runs in, and fails on headers that are not as expected. Here a question is one request
(two when a token is due), its answer is plain JSON, and the rate is obeyed by not asking.
"""

import configparser
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import LONGEST, Limited, refusal
from collectors.kit.sessions import bounded
from collectors.kit.web import Stopped
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    from praw import Reddit as Praw
    from requests import Response

REDDIT: Final = "https://www.reddit.com"
OAUTH: Final = "https://oauth.reddit.com"
#: A token is refused when it ends, which praw believes to be ten seconds later than Reddit says.
#: One so old is replaced without a word; refused while it is young, it was never good.
OLD: Final = timedelta(minutes=10)
#: These say how many requests are left and in how many seconds there are more. praw sleeps by them.
_RATE: Final = ("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-used")


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks. Without ``username`` and ``password`` it is the app itself, which has no inbox."""

    client_id: str
    secret: SecretStr
    agent: str
    username: str | None = None
    password: SecretStr | None = None


class Closed(TryLater):
    """A subreddit that nobody, or not we, may read; ``why`` is Reddit's word for it."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class RedditApi:
    """Asks Reddit. One thread uses it."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        account: Account,
        url: str = REDDIT,
        oauth_url: str = OAUTH,
    ) -> None:
        self._name = name
        self._clock = clock
        self._account = account
        self._url = url.rstrip("/")
        self._oauth_url = oauth_url.rstrip("/")
        self._host = urlsplit(oauth_url).netloc
        self._breaker = Breaker(name, "secret_from")
        self._grants = Breaker(name, "password_from" if account.password else "secret_from")
        self._stop = threading.Event()
        self._rest: tuple[float, datetime] | None = None
        self._token_at = clock.now()
        self._praw: Praw | None = None

    def get(self, path: str, params: Mapping[str, str | int], stop: threading.Event) -> Any:
        """The JSON at a path. Raises TryLater, GiveUp, or Closed for a subreddit that is."""
        self._stop = stop
        self._obey()
        api = self._praw = self._praw or self._connect()
        from praw.exceptions import PRAWException
        from prawcore.exceptions import OAuthException, PrawcoreException

        try:
            told = api.request(method="GET", path=path, params=dict(params))
        except OAuthException as error:
            self.close()
            host = urlsplit(self._url).netloc
            raise self._grants.refused(host, error.response.status_code) from None
        except (PrawcoreException, PRAWException, ValueError, TypeError, KeyError, AttributeError):
            # Their words may quote what Reddit said.
            raise TryLater(f"{self._name}: {self._host} answers something else than JSON") from None
        self._breaker.accepted()
        self._grants.accepted()
        return told

    def close(self) -> None:
        """Lets go of connection and token; the next question gets new ones."""
        self._praw = None

    def _connect(self) -> "Praw":
        try:
            from praw import Reddit as Praw
            from prawcore import Requestor
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[reddit]'"
            raise GiveUp(f"{self._name}: wants the package praw: {install}") from error
        session, ask = bounded(lambda: self._stop.is_set()), self._ask

        class Plain(Requestor):
            def request(self, *args: Any, timeout: float | None = None, **given: Any) -> "Response":  # noqa: ARG002
                return ask(session, *args, **given)

        account = self._account
        password = account.password
        # Whatever is not given would be looked for in the environment and in praw.ini.
        settings: dict[str, Any] = {
            "client_id": account.client_id,
            "client_secret": account.secret.get_secret_value(),
            "username": account.username,
            "password": None if password is None else password.get_secret_value(),
            "refresh_token": None,
            "redirect_uri": None,
            "user_agent": account.agent,
            "reddit_url": self._url,
            "oauth_url": self._oauth_url,
            "timeout": 5,
            "ratelimit_seconds": 0,
            "check_for_updates": False,
            "check_for_async": False,
        }
        try:
            return Praw(
                "DEFAULT",
                requestor_class=Plain,
                requestor_kwargs={"session": session},
                **settings,
            )
        except configparser.Error as error:
            told = f"{self._name}: praw finds a praw.ini that it cannot read"
            raise GiveUp(f"{told} ({type(error).__name__}): take it away") from None

    def _ask(self, session: Any, method: str, url: str, **given: Any) -> "Response":
        """One request. Whatever is no success ends here: praw would ask again, or sleep."""
        from requests import RequestException

        if self._stop.is_set():
            raise Stopped(f"{self._name}: told to stop")
        host, is_token = urlsplit(url).netloc, method.upper() == "POST"
        try:
            answer: Response = session.request(method, url, **given)
        except (RequestException, OSError, ValueError) as error:
            if self._stop.is_set():
                raise Stopped(f"{self._name}: told to stop") from None
            told = f"{self._name}: cannot reach {host} ({type(error).__name__})"
            raise TryLater(told) from None
        self._note_rate(answer.headers)
        if answer.status_code != 200:
            self._refuse(answer, host, is_token=is_token)
        if is_token:
            self._token_at = self._clock.now()
        return answer

    def _refuse(self, answer: "Response", host: str, *, is_token: bool) -> NoReturn:
        status = answer.status_code
        reason = _reason(answer)
        if reason is not None:
            raise Closed(f"{self._name}: what was asked of {host} is closed ({reason})", reason)
        if status in REFUSED:
            self.close()  # a token may have been taken back: the next question gets another
            is_old = not is_token and self._clock.now() - self._token_at >= OLD
            if status == 401 and is_old:
                raise TryLater(f"{self._name}: the token of {host} has ended", 1.0)
            raise self._breaker.refused(host, status)
        now = self._clock.now()
        raise refusal(f"{self._name}: {host} answers {status}", status, answer.headers, now)

    def _note_rate(self, headers: Any) -> None:
        """Takes the rate out of the answer's headers, where praw would find it."""
        told = [_number(headers.pop(name, None)) for name in _RATE]
        remaining, reset = told[0], told[1]
        if remaining is not None and reset is not None:
            seconds = min(max(reset, 0.0), LONGEST)
            self._rest = (remaining, self._clock.now() + timedelta(seconds=seconds))

    def _obey(self) -> None:
        """Raises TryLater while Reddit has no request left for us."""
        if self._rest is None:
            return
        remaining, until = self._rest
        seconds = (until - self._clock.now()).total_seconds()
        if seconds <= 0:
            self._rest = None
        elif remaining < 1:
            raise Limited(f"{self._name}: the rate of {self._host} is used up", max(seconds, 1.0))


def _reason(answer: "Response") -> str | None:
    """Why a subreddit is closed, if the answer says that one is."""
    if answer.status_code in {301, 302}:  # Reddit then offers to search for one
        return "not there" if "/subreddits/search" in answer.headers.get("location", "") else None
    if answer.status_code not in {403, 404}:
        return None
    try:
        told = load(answer.content)
    except SetAside:
        return None
    reason = told.get("reason") if isinstance(told, dict) else None
    if isinstance(reason, str) and reason.isascii() and reason.isidentifier():
        return reason[:40]
    return "not there" if answer.status_code == 404 and isinstance(told, dict) else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
