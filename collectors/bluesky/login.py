"""An account on Bluesky, through atproto's client: one session, and errors in our words."""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import refusal
from collectors.kit.trouble import told
from collectors.kit.web import patience, trusted
from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    from atproto import Client

#: An answer to a session that has ended; the client renews it before, unless a clock is wrong.
EXPIRED: Final = frozenset({"ExpiredToken", "InvalidToken"})


class Login:
    """Asks in an account's name.

    A login is counted by Bluesky (300 a day), so a session is kept until it is refused.
    """

    def __init__(
        self, source: str, clock: Clock, url: str, account: str, password: SecretStr
    ) -> None:
        self._source = source
        self._clock = clock
        self._url = url
        self._host = urlsplit(url).netloc
        self._account = account
        self._password = password
        self._breaker = Breaker(source, "password_from")
        self._client: Client | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a session."""
        return self._client is not None

    def open(self) -> None:
        """Logs in; one call. Raises TryLater, GiveUp for a refused password."""
        self._client = None
        client = self._made()
        # Not the profile, which costs a call; nobody here asks the client who it is.
        self._asked(
            lambda: client.login(
                self._account, self._password.get_secret_value(), fetch_bsky_profile=False
            )
        )
        self._client = client

    def query(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer of one of Bluesky's methods, as it came. Raises TryLater or GiveUp.

        Not through the client's models: one post that breaks a rule would cost a page of them.
        """
        client = self._client
        if client is None:
            raise TryLater(f"{self._source}: there is no session")
        answer = self._asked(
            lambda: client.request.get(f"{self._url}/xrpc/{method}", params=params)
        )
        if not isinstance(answer.content, dict):
            raise TryLater(f"{self._source}: {self._host} answers something else than an object")
        self._breaker.accepted()
        return answer.content

    def close(self) -> None:
        """Lets go of the connection; the session is kept."""
        if self._client is not None:
            self._client.request.close()
            self._client = None

    def _made(self) -> "Client":
        try:
            from atproto import Client, Request
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[bluesky]'"
            raise GiveUp(f"{self._source}: wants the package atproto: {install}") from error
        return Client(self._url, request=Request(timeout=patience(), verify=trusted()))

    def _asked(self, ask: Any) -> Any:
        """The answer; the vendor's errors become ours."""
        import httpx
        from atproto_client.exceptions import AtProtocolError

        try:
            return ask()
        except httpx.HTTPError as error:
            raise TryLater(f"{self._source}: cannot reach {self._host} ({told(error)})") from error
        except (AtProtocolError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise self._refusal(getattr(error, "response", None)) from error

    def _refusal(self, answer: Any) -> TryLater | GiveUp:
        """What an answer that is no success means; the library's words may quote posts."""
        status = getattr(answer, "status_code", 0)
        if not status:
            return TryLater(f"{self._source}: cannot reach {self._host}, or it answers no JSON")
        if status in REFUSED:
            self._client = None
            return self._breaker.refused(self._host, status)
        if getattr(answer.content, "error", "") in EXPIRED:
            self._client = None
        message = f"{self._source}: {self._host} answers {status}"
        return refusal(message, status, answer.headers, self._clock.now())
