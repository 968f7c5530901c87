"""Facebook's webhook: deliveries as it signs them, over HTTP and through the inbox."""

import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from collectors.facebook.hook import SIGNATURE, FacebookHook
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from pipeline.model import Mention, Removal
from pipeline.ports import Unreadable
from tests.contracts.collector import CollectorContract, OpenSource
from tests.contracts.listening import START
from web.hooks import route
from web.server import Server, bind

PAGE = "777"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_APP_SECRET", "s3cret")
    monkeypatch.setenv("ACME_VERIFY", "open sesame")


def source(clock: Any, **more: Any) -> FacebookHook:
    told: dict[str, Any] = {"secret_from": "ACME_APP_SECRET", "verify_from": "ACME_VERIFY"} | more
    return FacebookHook("acme-facebook", clock, **told)


def signed(body: bytes, key: str = "s3cret") -> dict[str, str]:
    return {SIGNATURE: f"sha256={hmac.digest(key.encode(), body, 'sha256').hex()}"}


def delivery(*values: dict[str, Any], at: float | None = None, page: str = PAGE) -> bytes:
    """As Facebook writes it: with everything escaped that is not ASCII."""
    changes = [{"field": "feed", "value": value} for value in values]
    time = START.timestamp() if at is None else at
    return json.dumps(
        {"object": "page", "entry": [{"id": page, "time": time, "changes": changes}]}
    ).encode()


def comment(number: int, verb: str = "add", **more: Any) -> dict[str, Any]:
    told = {
        "item": "comment",
        "verb": verb,
        "comment_id": f"1_{number}",
        "post_id": f"{PAGE}_1",
        "parent_id": f"{PAGE}_1",
        "from": {"id": "31", "name": "Zoë"},
        "message": f"Acme is down für alle {number}",
        "created_time": int(START.timestamp()),
    }
    return told | more


class TestContract(CollectorContract):
    """The hook keeps the contract of collectors, before a sender that repeats everything."""

    kind = "facebook-hook"

    @pytest.fixture
    def open_source(self) -> Iterator[OpenSource]:
        ended = threading.Event()

        def opened() -> FacebookHook:
            made = source(ManualClock(START))

            def send() -> None:
                for number in range(1, 5):
                    body = delivery(comment(number))
                    while not ended.is_set() and made.receive(signed(body), body)[0] != 200:
                        ended.wait(0.02)

            threading.Thread(target=send, daemon=True).start()
            return made

        yield opened
        ended.set()

    @pytest.fixture
    def words(self) -> int:
        return 4


def taken(hook: FacebookHook, *bodies: bytes) -> list[Any]:
    """What comes out of the source when these are delivered and acknowledged."""
    stop = threading.Event()
    came: list[Any] = []

    def read() -> None:
        came.extend(item.value for item in hook.items(None, stop) if item.value is not None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        for body in bodies:
            for _ in range(200):
                answer = hook.receive(signed(body), body)
                if answer[0] != 503:
                    break
                stop.wait(0.01)
            assert answer[0] == 200
    finally:
        stop.set()
        reader.join()
    return came


def test_a_comment_becomes_a_mention() -> None:
    """With its place under the post, and who said it."""
    [one] = taken(source(ManualClock(START), tracks=("acme",)), delivery(comment(2)))
    assert isinstance(one, Mention)
    assert (one.id, one.kind, one.text) == ("facebook:1_2", "comment", "Acme is down für alle 2")
    assert (one.author_id, one.author.handle) == ("facebook:31", "Zoë")
    assert (one.reply_to, one.thread) == (f"{PAGE}_1", f"{PAGE}_1")
    assert (one.said_at, one.version, one.tracks) == (START, 0, ("acme",))


def test_edits_deletes_and_hidden_comments_are_told() -> None:
    """An edit's version is when it was made; a delete may come before what it deletes."""
    clock = ManualClock(START + timedelta(hours=1))
    later = START.timestamp() + 60
    came = taken(
        source(clock),
        delivery(comment(2, "remove", message=None)),
        delivery(comment(2)),
        delivery(comment(3, "edited", message="Acme is back"), at=later),
        delivery(comment(4, "hide"), comment(4, "unhide"), at=later),
    )
    gone, made, edit, hidden, shown = came
    assert isinstance(made, Mention)
    assert isinstance(edit, Mention)
    assert (gone.removal, gone.kind, gone.scope) == ("facebook:1_2", "erased", "mention")
    assert (edit.text, edit.version) == ("Acme is back", int(later * 1_000))
    assert [(one.removal, one.kind) for one in (hidden, shown)] == [
        ("facebook:1_4", "hidden"),
        ("facebook:1_4", "shown"),
    ]


def test_posts_are_told_and_what_is_no_post_is_not() -> None:
    """Visitors' posts of all kinds; neither likes, nor our own words, nor what has no text."""
    post = {"verb": "add", "post_id": f"{PAGE}_5", "created_time": int(START.timestamp())}
    said = post | {"from": {"id": "31"}, "message": "Acme is down"}
    came = taken(
        source(ManualClock(START), pages=(PAGE,)),
        delivery(said | {"item": "status"}),
        delivery(said | {"item": "photo", "post_id": f"{PAGE}_6"}),
        delivery(said | {"item": "like"}, said | {"item": "reaction", "verb": "remove"}),
        delivery(said | {"item": "post", "from": {"id": PAGE}}),
        delivery(post | {"item": "post"}),
        delivery(comment(1), page="888"),
    )
    assert [one.id for one in came] == [f"facebook:{PAGE}_5", f"facebook:{PAGE}_6"]
    assert {one.kind for one in came} == {"post"}


def test_the_same_delivery_twice_is_one() -> None:
    """It has no id: it is known by its bytes."""
    body = delivery(comment(2))
    assert len(taken(source(ManualClock(START)), body, body)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {SIGNATURE: "sha256="},
        {SIGNATURE: "sha1=abc"},
        {SIGNATURE: "é"},
        signed(delivery(comment(2)), "another"),
        signed(delivery(comment(3))),
    ],
)
def test_a_wrong_signature_is_refused(headers: dict[str, str]) -> None:
    """None, another key's, another body's."""
    hook = source(ManualClock(START))
    assert hook.receive(headers, delivery(comment(2)))[0] == 401


def test_the_signature_is_of_the_bytes_as_they_came() -> None:
    """Facebook escapes what is not ASCII; whoever reads and writes it anew signs other bytes."""
    escaped = delivery(comment(2))
    assert b"f\\u00fcr" in escaped
    plain = json.dumps(json.loads(escaped), ensure_ascii=False).encode()
    hook = source(ManualClock(START))
    assert hook.receive(signed(escaped), plain)[0] == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"object":"page"}', 400),
        (b'{"object":"page","entry":[1,{},{"changes":3},{"changes":[1,{"field":"feed"}]}]}', 200),
        (b'{"object":"user","entry":[{"changes":[{"field":"feed","value":{}}]}]}', 200),
        (b'{"object":"page","entry":[{"changes":[' + b"{}," * 1_000 + b"{}]}]}", 400),
        (b" " * (4 * 1_048_576 + 1), 413),
    ],
)
def test_what_is_no_delivery_is_refused_or_nothing(body: bytes, status: int) -> None:
    """What we are not asked about is taken: Facebook would send it again for a day."""
    assert source(ManualClock(START)).receive(signed(body), body)[0] == status


def test_a_change_that_makes_no_sense_is_set_aside() -> None:
    """Those beside it come."""
    body = delivery(comment(2, created_time="late"), comment(3, "remove", comment_id=7), comment(4))
    came = taken(source(ManualClock(START)), body)
    assert [type(one) for one in came] == [Unreadable, Unreadable, Mention]


def test_too_many_deliveries_are_told_when_to_come_back() -> None:
    """Those that are signed: others cost nothing."""
    hook = source(ManualClock(START), per_minute=1)
    body = delivery()
    assert [hook.receive(signed(body), body)[0] for _ in range(2)] == [200, 429]


def test_nothing_is_accepted_while_nobody_reads() -> None:
    """Facebook is told to send it again."""
    body = delivery(comment(2))
    assert source(ManualClock(START)).receive(signed(body), body)[0] == 503


def test_the_challenge_is_answered_over_http() -> None:
    """With the right word, in the right mode, and nothing that a browser would take for a page."""
    hook = source(ManualClock(START))
    server = Server(Starlette(routes=[route(lambda name: hook if name == "fb" else None)]), bind(0))
    server.start()
    right = {"hub.mode": "subscribe", "hub.verify_token": "open sesame", "hub.challenge": "115820"}
    url = f"{server.url.rstrip('/')}/api/hooks/fb"
    try:
        answer = httpx.get(url, params=right, timeout=10)
        wrong = [
            right | {"hub.verify_token": "sesame"},
            right | {"hub.mode": "unsubscribe"},
            right | {"hub.challenge": "<script>"},
            {},
        ]
        statuses = [httpx.get(url, params=asked, timeout=10).status_code for asked in wrong]
        other = httpx.get(url.replace("fb", "else"), params=right, timeout=10).status_code
        body = delivery()
        pushed = httpx.post(url, content=body, headers=signed(body), timeout=10)
    finally:
        server.close()
    assert (answer.status_code, answer.text) == (200, "115820")
    assert answer.headers["content-type"].startswith("text/plain")
    assert statuses == [403] * 4
    assert other == 403
    assert pushed.status_code == 200


def test_missing_secrets_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their variables and settings."""
    monkeypatch.delenv("ACME_VERIFY")
    with pytest.raises(Misuse, match=r"ACME_VERIFY.*verify_from"):
        source(ManualClock(START))


def test_no_removal_of_somebody_else_s() -> None:
    """Numbers are Facebook's own, so nothing of another platform can be named."""
    [one] = taken(
        source(ManualClock(START)), delivery(comment(2, "remove", comment_id="x:reddit:t3_1"))
    )
    assert isinstance(one, Unreadable)
    assert not isinstance(one, Removal)
