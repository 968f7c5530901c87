"""Google's access tokens for a service account, through google-auth, within our bounds of time."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from collectors.kit.breaker import Breaker
from collectors.kit.limits import refusal
from collectors.kit.trouble import told
from collectors.kit.web import patience, trusted
from pipeline.decoding import load
from pipeline.errors import GiveUp, Misuse, SetAside, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    from google.oauth2.service_account import Credentials

SCOPE: Final = "https://www.googleapis.com/auth/androidpublisher"


class Login:
    """A service account. ``key`` is its file of JSON as Google gives it out."""

    def __init__(self, source: str, clock: Clock, key: str) -> None:
        self._source = source
        self._clock = clock
        self._key = key
        self._breaker = Breaker(source, "key_from")
        self._known: Credentials | None = None

    def token(self) -> str:
        """A token that is good for some minutes; asks for a new one before it ends.

        Raises TryLater, GiveUp for an account that is refused, Misuse for a key that is none.
        """
        credentials = self._credentials()
        if not credentials.valid:
            self._refresh(credentials)
        return str(credentials.token)

    def accepted(self) -> None:
        """The token was good."""
        self._breaker.accepted()

    def refused(self, host: str, status: int) -> TryLater | GiveUp:
        """The token was not: it is made anew. The error to raise."""
        self._known = None
        return self._breaker.refused(host, status)

    def _credentials(self) -> "Credentials":
        if self._known is not None:
            return self._known
        try:
            from google.oauth2.service_account import Credentials
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[googleplay]'"
            raise GiveUp(f"{self._source}: wants the package google-auth: {install}") from error
        try:
            make: Callable[..., Credentials] = Credentials.from_service_account_info
            self._known = make(load(self._key), scopes=[SCOPE])
        except (ValueError, TypeError, AttributeError, SetAside) as error:
            # Not its own words: they may quote the key.
            what = "holds no key of a service account (JSON)"
            raise Misuse(f"{self._source}: what `key_from` names {what}") from error
        return self._known

    def _refresh(self, credentials: "Credentials") -> None:
        from google.auth.exceptions import GoogleAuthError

        way = _Way(self._source, self._clock)
        try:
            refresh: Callable[[_Way], None] = credentials.refresh
            refresh(way)
        except (GoogleAuthError, KeyError, TypeError, ValueError) as error:
            if way.status in {400, 401, 403}:  # 400 is what a deleted account or key gets
                raise self.refused(way.host, way.status) from error
            raise TryLater(f"{self._source}: {way.host} answers without a token") from error


class _Reply:
    """What google-auth asks of an answer (``google.auth.transport.Response``)."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


class _Way:
    """How google-auth asks (``google.auth.transport.Request``): once, and without waiting.

    The library would try again by itself, which nobody counts and a stop would wait for.
    """

    def __init__(self, source: str, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self.host = ""
        self.status = 0

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002  # ours holds
        **_: Any,
    ) -> _Reply:
        import httpx

        self.host = urlsplit(url).netloc
        try:
            answer = httpx.request(
                method, url, content=body, headers=headers, timeout=patience(), verify=trusted()
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"{self._source}: cannot reach {self.host} ({told(error)})"
            raise TryLater(message) from error
        self.status = answer.status_code
        if answer.status_code == 429 or answer.status_code >= 500:
            message = f"{self._source}: {self.host} answers {answer.status_code}"
            raise refusal(message, answer.status_code, answer.headers, self._clock.now())
        return _Reply(answer.status_code, answer.headers, answer.content)
