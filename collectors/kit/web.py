"""HTTP for sources: bounded in time and size, errors told in one line without the answer's text."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import refusal
from collectors.kit.trouble import told
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.ports import Clock

if TYPE_CHECKING:
    import ssl

    import httpx

#: Seconds for connecting, and between two pieces of an answer: a stop waits no longer for both.
CONNECT: Final = 1.5
READ: Final = 3.3
#: A status page with 500 components and 50 incidents has about a megabyte, a page of posts less.
MOST_BYTES: Final = 32 * 1_048_576


def patience() -> "httpx.Timeout":
    """How long httpx waits."""
    import httpx

    return httpx.Timeout(READ, connect=CONNECT)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the body in full, headers under lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@cache
def trusted() -> "ssl.SSLContext":
    """The certificates that are trusted, read once: it takes 0.1 s, and a source reconnects."""
    import httpx

    return httpx.create_ssl_context()


def host_of(url: str) -> str:
    """Host and port of an address, for people: without a name and password before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


class Stopped(TryLater):
    """Told to stop in the middle of an answer: there is nothing to tell."""


class Web:
    """One source's way to its platform. The connection is opened with the first question.

    ``setting`` names the credential in the settings, for the message when it is refused.
    """

    def __init__(
        self,
        source: str,
        clock: Clock,
        *,
        setting: str | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._source = source
        self._clock = clock
        self._breaker = Breaker(source, setting)
        self._headers = {"user-agent": "groundswell", **(headers or {})}
        self._most = most_bytes
        self._client: httpx.Client | None = None

    def get(
        self,
        url: str,
        stop: threading.Event,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        fine: frozenset[int] = frozenset(),
    ) -> Answer:
        """The answer, if it succeeded or its status is in ``fine``.

        Raises TryLater (with the pause that was asked for), GiveUp for refused credentials.
        """
        return self._send("GET", url, stop, params, headers, fine)

    def put(self, url: str, body: bytes, stop: threading.Event) -> Answer:
        """Puts a text there. Raises as ``get`` does."""
        told = {"content-type": "text/plain"}
        return self._send("PUT", url, stop, None, told, frozenset(), body)

    def _send(
        self,
        method: str,
        url: str,
        stop: threading.Event,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        fine: frozenset[int],
        content: bytes | None = None,
    ) -> Answer:
        import httpx  # 50 ms that a process without such a source need not spend

        host = host_of(url)
        if self._client is None:
            self._client = httpx.Client(
                timeout=patience(),
                follow_redirects=True,
                max_redirects=5,
                headers=self._headers,
                verify=trusted(),
            )
        try:
            with self._client.stream(
                method, url, params=params, headers=headers, content=content
            ) as answer:
                if not answer.is_success and answer.status_code not in fine:
                    raise self._refusal(answer, host)
                body = self._body(answer, host, stop)
                self._breaker.accepted()
                return Answer(answer.status_code, answer.headers, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TryLater(f"{self._source}: cannot reach {host} ({told(error)})") from error

    def json(self, url: str, stop: threading.Event, params: Mapping[str, str] | None = None) -> Any:
        """The JSON document there. Raises TryLater, also for what is no JSON, or GiveUp."""
        body = self.get(url, stop, params=params, headers={"accept": "application/json"}).body
        try:
            return load(body)
        except SetAside as reason:
            host = host_of(url)
            raise TryLater(f"{self._source}: {host} answers something else than JSON") from reason

    def close(self) -> None:
        """Lets go of the connection; the next question opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _refusal(self, answer: "httpx.Response", host: str) -> TryLater | GiveUp:
        if answer.status_code in REFUSED:
            return self._breaker.refused(host, answer.status_code)
        message = f"{self._source}: {host} answers {answer.status_code}"
        return refusal(message, answer.status_code, answer.headers, self._clock.now())

    def _body(self, answer: "httpx.Response", host: str, stop: threading.Event) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            size += len(part)
            if size > self._most:
                raise TryLater(f"{self._source}: {host} answers too much")
            if stop.is_set():
                raise Stopped(f"{self._source}: told to stop")
            parts.append(part)
        return b"".join(parts)
