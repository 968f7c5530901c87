"""A webhook: what senders push, over HTTP and through intake to a broker."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from collectors.kit.inbox import MOST_WAITING
from collectors.kit.signature import key_of, signature
from collectors.webhook import Webhook
from config.hooking import hooks_of
from pipeline import deadletters
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock, SystemClock
from pipeline.decoding import read_post
from pipeline.errors import Misuse, TryLater
from pipeline.intake import Intake
from pipeline.model import Coverage, Mention
from pipeline.reading import batches
from pipeline.topics import MENTIONS, TOPICS
from tests.contracts.collector import CollectorContract, OpenSource
from tests.contracts.listening import START
from web.hooks import route
from web.server import Server, bind

DOCS = Path(__file__).parents[2] / "docs/webhook.md"
SECRET = "whsec_" + "QUJD" * 11
KEY = key_of(SecretStr(SECRET))


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_HOOK", SECRET)


def source(clock: Any, **more: Any) -> Webhook:
    return Webhook("acme", clock, secret_from="ACME_HOOK", **more)


def body(*words: dict[str, Any]) -> bytes:
    return json.dumps(list(words) if len(words) > 1 else words[0]).encode()


def word(number: int, **more: Any) -> dict[str, Any]:
    return {"external_id": str(number), "text": f"Acme is down {number}"} | more


class TestContract(CollectorContract):
    """A webhook keeps the contract of collectors, before a sender that repeats everything."""

    kind = "webhook"

    @pytest.fixture
    def open_source(self) -> Iterator[OpenSource]:
        ended = threading.Event()

        def opened() -> Webhook:
            made = source(clock := ManualClock(START))

            def send() -> None:
                for number in range(1, 5):
                    sent = body(word(number))
                    signed = signature(KEY, f"msg_{number}", clock.now(), sent)
                    while not ended.is_set() and made.receive(signed, sent)[0] != 200:
                        ended.wait(0.02)

            threading.Thread(target=send, daemon=True).start()
            return made

        yield opened
        ended.set()

    @pytest.fixture
    def words(self) -> int:
        return 4


class Scene:
    """A webhook behind the page's server, before a broker; intake runs while ``is_running``."""

    def __init__(self, broker: LocalBroker, stack: ExitStack, **more: Any) -> None:
        self.broker = broker
        self.hook = source(SystemClock(), **more)
        self.is_running = threading.Event()
        self._stop = threading.Event()
        routes = [route(lambda name: self.hook if name == "acme" else None)]
        server = Server(Starlette(routes=routes), bind(0))
        server.start()
        stack.callback(server.close)
        self.url = f"{server.url.rstrip('/')}/api/hooks/acme"
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(self._stop.set)
        stack.callback(self.is_running.set)

    def _run(self) -> None:
        intake = Intake(self.hook, self.broker, None, SystemClock())
        while not self._stop.is_set():
            self.is_running.wait()
            intake.turn(1.0)
        intake.close()

    def send(self, data: bytes, number: str = "1", **headers: str) -> httpx.Response:
        signed = signature(KEY, number, SystemClock().now(), data)
        return httpx.post(self.url, content=data, headers=signed | headers, timeout=10)

    def mentions(self) -> list[Mention]:
        reader = self.broker.reader([MENTIONS])
        try:
            found = [
                read_post(record.value)
                for records in batches(reader, 100)
                for record in records
                if record.value is not None
            ]
        finally:
            reader.close()
        return [one for one in found if isinstance(one, Mention)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    with ExitStack() as stack:
        broker = LocalBroker(tmp_path / "acme.broker", SystemClock())
        stack.callback(broker.close)
        broker.ensure(TOPICS)

        def make(**more: Any) -> Scene:
            made = Scene(broker, stack, **more)
            made.is_running.set()
            return made

        yield make


def test_it_answers_when_the_broker_has_it(stage: Callable[..., Scene]) -> None:
    """The standard's envelope, a bare word and a list; within five seconds."""
    scene = stage()
    began = time.monotonic()
    enveloped = {"type": "mention.created", "timestamp": "2026-03-02T09:00:00Z", "data": word(1)}
    assert scene.send(body(enveloped), "a").status_code == 200
    assert [one.id for one in scene.mentions()] == ["webhook:1"]
    assert scene.send(body(word(2), word(3)), "b").status_code == 200
    assert time.monotonic() - began < 10
    assert {one.id for one in scene.mentions()} == {"webhook:1", "webhook:2", "webhook:3"}


def test_the_same_delivery_twice_is_one(stage: Callable[..., Scene]) -> None:
    """By its id, even with another body."""
    scene = stage()
    assert scene.send(body(word(1)), "same").status_code == 200
    assert scene.send(body(word(2)), "same").status_code == 200
    assert [one.id for one in scene.mentions()] == ["webhook:1"]


def test_nothing_is_accepted_while_the_broker_is_away(stage: Callable[..., Scene]) -> None:
    """The sender is told to repeat, within five seconds, and then it comes once."""
    scene = stage()
    assert scene.send(body(word(1)), "1").status_code == 200
    scene.is_running.clear()
    time.sleep(1.2)  # the turn under way ends
    began = time.monotonic()
    refused = scene.send(body(word(2)), "2")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert 3 < time.monotonic() - began < 5
    assert len(scene.mentions()) == 1
    scene.is_running.set()
    assert scene.send(body(word(2)), "2").status_code == 200
    assert [one.id for one in scene.mentions()] == ["webhook:1", "webhook:2"]


def test_a_sender_that_is_too_early_is_told_to_come_back() -> None:
    """A process that is still loading answers 503: senders take 404 for an end."""
    find = hooks_of(dict)
    with pytest.raises(TryLater):
        find("acme")
    server = Server(Starlette(routes=[route(find)]), bind(0))
    server.start()
    try:
        early = httpx.post(f"{server.url}/api/hooks/acme", content=b"{}", timeout=10)
    finally:
        server.close()
    assert (early.status_code, early.headers["retry-after"]) == (503, "5")


def test_a_wrong_signature_is_refused(stage: Callable[..., Scene]) -> None:
    """Nothing of it goes anywhere."""
    scene = stage()
    wrong = scene.send(body(word(1)), "1", **{"webhook-signature": "v1,AAAA"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "wrong signature"})
    assert scene.mentions() == []


def test_what_is_too_large_or_too_often_is_refused(stage: Callable[..., Scene]) -> None:
    """The sender learns when to come back."""
    scene = stage(most_bytes=2_000, per_minute=2)
    assert scene.send(b" " * 3_000).status_code == 413
    assert [scene.send(body(word(n)), str(n)).status_code for n in (1, 2)] == [200, 200]
    refused = scene.send(body(word(3)), "3")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 62


def test_what_is_no_word_is_refused_or_set_aside(stage: Callable[..., Scene]) -> None:
    """Alone it is refused; among others it becomes a dead letter, and they come."""
    scene = stage()
    for data in (b"{bad", b"[]", b"7", body({"external_id": "1"})):
        refused = scene.send(data, str(len(data)))
        assert refused.status_code == 400
    assert scene.send(body(word(1), {"external_id": "x"}, word(2)), "z").status_code == 200
    assert {one.id for one in scene.mentions()} == {"webhook:1", "webhook:2"}
    [letter] = deadletters.listing(scene.broker)
    assert "text" in letter.reason


def test_nobody_speaks_for_another_platform(stage: Callable[..., Scene]) -> None:
    """Another source is refused with a word; ids and times are this webhook's own."""
    scene = stage(platform="desk")
    other = scene.send(body(word(1, source="bluesky")), "o")
    assert other.status_code == 400
    assert "'desk'" in other.json()["error"]
    assert scene.send(body(word(8, source="bluesky"), word(9, source=7)), "p").status_code == 200
    assert len(deadletters.listing(scene.broker)) == 2
    given = word(1, source="desk", tracks=["x"], seen_at="1999-01-01T00:00:00Z")
    removal = {"removal": "bluesky:did/1", "kind": "erased"}
    assert scene.send(body(given), "a").status_code == 200
    assert scene.send(body(removal), "b").status_code == 200
    assert [one.id for one in scene.mentions()] == ["desk:1"]
    reader = scene.broker.reader([MENTIONS])
    keys = {record.key for records in batches(reader, 100) for record in records}
    reader.close()
    assert keys == {"desk:1", "desk:bluesky:did/1"}


def test_memory_is_bounded_while_nobody_reads() -> None:
    """So many deliveries wait, more senders are told to come back."""
    hook = source(ManualClock(START))
    inbox = hook._inbox
    items = hook.items(None, threading.Event())
    next(items)
    for number in range(MOST_WAITING):
        assert not inbox.put(str(number), [], patience=0)
    assert inbox.is_full
    assert not inbox.put("one more", [], patience=0)


def test_the_time_nobody_listened_is_a_gap() -> None:
    """Senders repeat for a while, but nobody knows for how long."""
    clock, stop = ManualClock(START), threading.Event()
    items = source(clock).items(None, stop)
    cursor = next(items).cursor
    items.close()  # type: ignore[attr-defined]
    clock.set(START + timedelta(minutes=7))
    item = next(source(clock).items(cursor, stop))
    assert isinstance(item.value, Coverage)
    assert (item.value.is_gap, item.value.cause) == (True, "stopped")
    assert (item.value.from_at, item.value.to_at) == (START, START + timedelta(minutes=7))


def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its variable; a bad one is not shown."""
    monkeypatch.delenv("ACME_HOOK")
    with pytest.raises(Misuse, match="ACME_HOOK"):
        source(ManualClock(START))
    monkeypatch.setenv("ACME_HOOK", "hunter2")
    with pytest.raises(Misuse) as told:
        source(ManualClock(START))
    assert "hunter2" not in str(told.value)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs both")
def test_the_shell_example_in_the_docs_works(
    stage: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is made and a post is sent as docs/webhook.md says it, word for word."""
    make, send = re.findall(
        r"^```sh\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    told = {"PATH": os.environ["PATH"]}
    made = shell(f'{make}printf %s "$ACME_DESK_SECRET"', told)
    monkeypatch.setenv("ACME_HOOK", made)
    scene = stage(platform="desk")
    page = scene.url.removesuffix("/api/hooks/acme")
    told |= {"ACME_DESK_SECRET": made, "GROUNDSWELL_PAGE": page}
    assert json.loads(shell(send.replace("/hooks/desk", "/hooks/acme"), told)) == {"told": "taken"}
    [mention] = scene.mentions()
    assert (mention.id, mention.author.handle) == ("desk:1", "kim")
    assert abs(mention.said_at - SystemClock().now()) < timedelta(minutes=1)


def shell(script: str, environment: dict[str, str]) -> str:
    """What a POSIX shell prints when it runs a script that must not fail."""
    done = subprocess.run(
        ["sh", "-eu", "-c", script], env=environment, capture_output=True, timeout=60, check=True
    )
    return done.stdout.decode()
