"""Erasure over a whole local installation, down to the bytes of its files."""

from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from config.erasing import erase
from config.recording import POSTS, Recording
from pipeline import deadletters, topics
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from pipeline.model import Author, Evidence, LateLink, Link, Mention, Removal
from pipeline.ports import Rows
from pipeline.topics import TOPICS
from pipeline.values import to_ms
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.pipeline.flow import NOON, feedback, mention, send

WORDS = "unmistakable words about the shop"
NEEDLES = (WORDS, "ann-0815", "ann_of_the_shop", "https://x.example/4711")
GONE = Mention(
    source="x",
    external_id="4711",
    author=Author(id="ann-0815", handle="ann_of_the_shop"),
    text=WORDS,
    said_at=NOON,
    url="https://x.example/4711",
    links=("https://x.example/4711/picture",),
)


def held(folder: Path) -> set[tuple[str, str]]:
    """Which files hold what of the author."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {(f.name, n) for f in files for n in NEEDLES if n.encode() in f.read_bytes()}


def fill(warehouse: DuckDBWarehouse, broker: LocalBroker, recording: Recording) -> None:
    """Puts the post wherever a post may stand."""
    quoting = (Evidence(kind="text", value=f"says '{WORDS}'", weight=1.2),)
    link = Link(incident="status:1", p=0.9, state="linked", evidence=quoting)
    late = LateLink(mention=GONE.id, model="1", link=link)
    letters = [
        deadletters.letter("worker", "bad", data, topic=topics.MENTIONS, origin=str(n), at=NOON)
        for n, data in enumerate((GONE.to_json(), b"broken, of 4711: " + WORDS.encode()))
    ]
    others = [mention(n) for n in range(50)]
    for topic, words in (
        (topics.MENTIONS, [GONE, *others]),
        (topics.FEEDBACK, [feedback(GONE, links=(link,)), *map(feedback, others)]),
        (topics.LINKS, [late]),
        (topics.DEADLETTER, letters),
    ):
        send(broker, topic, *words)
    warehouse.write(Rows(feedback=[feedback(w) for w in (GONE, *others)], links=[late]), NOON)
    warehouse.snapshot()
    lines = [(POSTS, to_ms(NOON), word.to_json()) for word in (GONE, *others)]
    recording.append(lines, to_ms(NOON))


@pytest.mark.parametrize(("scope", "name"), [("mention", GONE.id), ("author", "x:ann-0815")])
def test_no_file_holds_what_was_erased(tmp_path: Path, scope: str, name: str) -> None:
    """Neither while everything is open nor afterwards; the rest stays, and a receipt says why."""
    clock = ManualClock(NOON)
    with ExitStack() as opened:
        warehouse = opened.enter_context(closing(DuckDBWarehouse(tmp_path / "a.duckdb")))
        broker = opened.enter_context(closing(LocalBroker(tmp_path / "a.broker", clock)))
        broker.ensure(TOPICS)
        recording = Recording(tmp_path / "kept", keep=timedelta(days=1), most_bytes=1 << 30)
        fill(warehouse, broker, recording)
        assert {needle for _, needle in held(tmp_path)} == set(NEEDLES)
        removal = Removal(
            removal=name, kind="erased", at=NOON, scope=scope, by="ada", reason="was asked to"
        )
        receipt = erase(warehouse, broker, [removal], clock, recording)
        assert held(tmp_path) == set()
        assert deadletters.listing(broker) == []  # their bytes stand in base64
        assert (receipt["mentions"], receipt["recorded_lines"]) == (1, 1)
        found = warehouse.sql("SELECT asked_by, reason, requests, mentions FROM erasures").rows
        assert found == [("ada", "was asked to", 1, 1)]
        assert warehouse.sql("SELECT count(*), count(text) FROM feedback").rows == [(51, 50)]
        warehouse.snapshot()
    assert held(tmp_path) == set()
    assert not any(needle in orjson.dumps(receipt).decode() for needle in NEEDLES)


@pytest.mark.parametrize("told", ["x:ann-0815 asked", "Ann-0815 wrote a letter"])
def test_a_receipt_does_not_say_whom_it_is_about(tmp_path: Path, told: str) -> None:
    """Who asked and why are kept for good: what holds the name that is erased is refused."""
    clock = ManualClock(NOON)
    named = {"removal": "x:ann-0815", "kind": "erased", "at": NOON, "scope": "author"}
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as warehouse:
        for words in ({"reason": told}, {"reason": "was asked to", "by": told}):
            with pytest.raises(Misuse, match="kept for good"):
                erase(warehouse, None, [Removal.model_validate(named | words)], clock)
        short = Removal(removal="x:sk", kind="erased", at=NOON, scope="author", reason="was asked")
        erase(warehouse, None, [short], clock)
        assert warehouse.sql("SELECT reason FROM erasures").rows == [("was asked",)]


@pytest.mark.parametrize("scope", ["mention", "author"])
@pytest.mark.parametrize("told", ["Ann_of_the_Shop wrote", "of @ann_of_the_shop", "asked by @Li"])
def test_a_receipt_does_not_tell_a_handle(tmp_path: Path, scope: str, told: str) -> None:
    """That of the posts which go; a short one may be a word, so only where it is meant as one."""
    clock = ManualClock(NOON)
    short = GONE.model_copy(update={"external_id": "5", "author": Author(id="2", handle="@li")})
    ids = ("x:5", GONE.id) if scope == "mention" else ("x:2", "x:ann-0815")
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as warehouse:
        warehouse.write(Rows(feedback=[feedback(GONE), feedback(short)]), NOON)
        named = {"kind": "erased", "at": NOON, "scope": scope}
        asked = [Removal.model_validate(named | {"removal": n, "reason": told}) for n in ids]
        with pytest.raises(Misuse, match="kept for good"):
            erase(warehouse, None, asked, clock)
        assert warehouse.sql("SELECT count(text) FROM feedback").rows == [(2,)]
        fair = [word.model_copy(update={"reason": "a line by mail"}) for word in asked]
        erase(warehouse, None, fair, clock)
        assert warehouse.sql("SELECT reason FROM erasures").rows == [("a line by mail",)]
