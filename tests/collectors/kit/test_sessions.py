"""The session of vendors' clients: bounded, stoppable, without redirects, credentials as given."""

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from collectors.kit import sessions
from collectors.kit.sessions import bounded
from tests.servers.platform import Asked, Fault, Platform, served


class Echo(Platform):
    """Answers what it is told to."""

    def reply(self, asked: Asked) -> Fault:
        return Fault(200, b"{}")


@pytest.fixture
def platform() -> Iterator[Platform]:
    with served(Echo()) as running:
        yield running


def test_an_answer_has_arrived_in_full(platform: Platform) -> None:
    """Decoded, with its status and headers."""
    body = gzip.compress(b'{"a": 1}')
    platform.faults = [Fault(201, body, (("Content-Encoding", "gzip"), ("X-Rate", "7")))]
    answer = bounded(lambda: False).get(platform.url)
    assert (answer.status_code, answer.headers["x-rate"], answer.json()) == (201, "7", {"a": 1})
    assert answer.text == '{"a": 1}'


def test_no_redirect_is_followed(platform: Platform) -> None:
    """Whoever answers with one must not get the credentials sent on."""
    platform.faults = [Fault(302, b"", (("Location", f"{platform.url}/else"),))]
    answer = bounded(lambda: False).get(platform.url, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 302
    assert len(platform.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, b"x" * 2_000),
        Fault(200, gzip.compress(b"x" * 1_000_000), (("Content-Encoding", "gzip"),)),
        Fault(200, b"{", kind="cut"),
        Fault(200, b"{", kind="hang"),
        Fault(200, b'{"a": "no gzip"}', (("Content-Encoding", "gzip"),)),
        Fault(kind="abort"),
    ],
    ids=["large", "bomb", "cut", "hang", "no gzip", "abort"],
)
def test_a_bad_answer_is_an_error_of_requests(platform: Platform, fault: Fault) -> None:
    """Which its clients know, and which quotes nothing."""
    platform.faults = [fault]
    with pytest.raises(requests.RequestException) as told:
        bounded(lambda: False, most_bytes=1_000, read=0.2).get(platform.url)
    assert "x" * 10 not in str(told.value)


def test_a_drip_ends_when_told_to_stop_or_after_a_while(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then must not hold anybody."""
    platform.always = Fault(stream=platform.drip)
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(requests.RequestException):
        bounded(stop.is_set).get(platform.url)
    assert time.monotonic() - began < 4
    monkeypatch.setattr(sessions, "LONGEST", 0.3)
    with pytest.raises(requests.RequestException):
        bounded(lambda: False).get(platform.url)


def test_a_netrc_does_not_take_the_place_of_credentials(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself requests would send what stands there for the host."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password x\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    given: dict[str, Any] = {"headers": {"Authorization": "Bearer ours"}}
    bounded(lambda: False).get(platform.url, **given)
    bounded(lambda: False).post(platform.url, auth=("a", "b"))
    first, second = [asked.headers["authorization"] for asked in platform.asked]
    assert first == "Bearer ours"
    assert second.startswith("Basic ")
    requests.get(platform.url, timeout=4, **given)
    assert platform.asked[-1].headers["authorization"] != "Bearer ours"
