"""Asking a status page over HTTP: for what changed, within limits, one clear line on trouble."""

import threading
from typing import TYPE_CHECKING, Any

from collectors.incidents.statuspage import answers, shapes
from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.limits import refusal
from collectors.kit.times import instant
from collectors.kit.trouble import told
from collectors.kit.web import MOST_BYTES, host_of, patience, trusted
from pipeline.decoding import load
from pipeline.errors import SetAside, TryLater
from pipeline.ports import Clock
from pipeline.values import to_ms

if TYPE_CHECKING:
    import httpx


_ASK = "is it the address of a status page?"


def client() -> "httpx.Client":
    """A client for one source."""
    import httpx  # 50 ms that a process without a status page need not spend

    return httpx.Client(
        timeout=patience(),
        verify=trusted(),
        follow_redirects=True,
        max_redirects=5,
        headers={"user-agent": "groundswell", "accept": "application/json"},
    )


class Documents:
    """The documents of one page, as far as they were read in this session."""

    def __init__(
        self, source: str, client: "httpx.Client", base: str, clock: Clock, breaker: Breaker
    ) -> None:
        self._source = source
        self._client = client
        self._base = base
        self._clock = clock
        self._breaker = breaker
        self._host = host_of(base)
        self._validators: dict[str, dict[str, str]] = {}
        self._updated: dict[str, int] = {}
        self._missing: set[str] = set()

    def changed(self, path: str, stop: threading.Event) -> dict[str, Any] | None:
        """The document, or None: unchanged, older than it was, not there, or told to stop.

        Raises TryLater.
        """
        import httpx

        headers = self._validators.get(path, {})
        try:
            with self._client.stream("GET", self._base + path, headers=headers) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    return None
                if answer.status_code == httpx.codes.NOT_FOUND:
                    self._missing.add(path)
                    return None
                self._refuse(answer)
                body = self._body(answer, stop)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = f"cannot reach {self._host} ({told(error)})"
            raise TryLater(f"{self._source}: {reason}") from error
        if body is None:
            return None
        document = self._document(path, body)
        self._missing.discard(path)
        asked = {"if-none-match": "etag", "if-modified-since": "last-modified"}
        told_by = answer.headers
        self._validators[path] = {h: told_by[k] for h, k in asked.items() if k in told_by}
        return document

    def require(self, paths: tuple[str, ...]) -> None:
        """Raises TryLater when none of the documents is there."""
        if self._missing.issuperset(paths):
            raise TryLater(f"{self._source}: {self._host} has no {' and no '.join(paths)}: {_ASK}")

    def is_missing(self, path: str) -> bool:
        """Whether the page answered that it has no such document."""
        return path in self._missing

    def _refuse(self, answer: "httpx.Response") -> None:
        if answer.is_success:
            self._breaker.accepted()
        elif answer.status_code in REFUSED:
            raise self._breaker.refused(self._host, answer.status_code)
        else:
            line = f"{self._source}: {self._host} answers {answer.status_code}"
            raise refusal(line, answer.status_code, answer.headers, self._clock.now())

    def _body(self, answer: "httpx.Response", stop: threading.Event) -> bytes | None:
        parts, size = [], 0
        for part in answer.iter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                raise TryLater(f"{self._source}: {self._host} answers too much: {_ASK}")
            if stop.is_set():
                return None
            parts.append(part)
        return b"".join(parts)

    def _document(self, path: str, body: bytes) -> dict[str, Any] | None:
        try:
            document = shapes.normal(load(body))
            page = answers.page(document)
        except SetAside as reason:
            what = "a web page" if body.lstrip()[:1] == b"<" else "something else"
            raise TryLater(
                f"{self._source}: {self._host} answers {what} instead of JSON: {_ASK}"
            ) from reason
        at = instant(page.get("updated_at")) if isinstance(page.get("updated_at"), str) else None
        updated = 0 if at is None else to_ms(at)
        if updated < self._updated.get(path, 0):
            return None
        self._updated[path] = updated
        return document
