"""Incidents of two tools are one where they name each other, and only there."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from pipeline.incidents import Book
from pipeline.model import Decision, Incident
from pipeline.twins import Twins, objection

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAGE = "statuspage-acme:z3lct0r596n4"
PAGER = "pagerduty:PFQZPSY"


def incident(key: str, minute: int = 0, **more: Any) -> Incident:
    at = START + timedelta(minutes=minute)
    told = {"id": key, "title": "Checkout fails", "status": "investigating", "at": at}
    return Incident.model_validate(told | more)


def page(minute: int = 0, **more: Any) -> Incident:
    return incident(PAGE, minute, **{"url": "https://stspg.example/x1"} | more)


def pager(minute: int = 0, **more: Any) -> Incident:
    return incident(PAGER, minute, **{"url": "https://acme.pagerduty.example/i/PFQZPSY"} | more)


def merges(*told: Incident | Decision) -> list[tuple[str, str]]:
    book = Book()
    for word in told:
        if isinstance(word, Incident):
            book.put(word)
        else:
            book.decide(word)
    return [(one.subject, one.value) for one in Twins(book).merges()]


def decided(verb: str, subject: str, value: str = "") -> Decision:
    told = {"id": "d1", "subject": subject, "verb": verb, "value": value, "by": "ann", "at": START}
    return Decision.model_validate(told)


@pytest.mark.parametrize(
    "link",
    [
        "https://stspg.example/x1",
        "https://www.stspg.example/x1/?utm_source=mail#top",
        "https://status.acme.example/incidents/z3lct0r596n4",
    ],
)
def test_what_names_another_becomes_part_of_it(link: str) -> None:
    """By its address, however it is written, or by an address that ends in its id."""
    assert merges(page(), pager(links=[link])) == [(PAGER, PAGE)]


def test_of_two_that_name_each_other_the_older_stands() -> None:
    """Whichever is read first."""
    one = page(5, links=["https://acme.pagerduty.example/i/PFQZPSY"])
    other = pager(2, links=["https://stspg.example/x1"])
    assert merges(one, other) == merges(other, one) == [(PAGE, PAGER)]


@pytest.mark.parametrize(
    "other",
    [
        pager(links=["https://stspg.example/x2"]),
        pager(links=["https://stspg.example/"]),
        pager(links=["https://[bad"]),
        pager(links=["https://stspg.example/x1"], tracks=["nordwind"]),
        pager(3 * 24 * 60, links=["https://stspg.example/x1"]),
        incident("statuspage-acme:a1b2c3d4", links=["https://stspg.example/x1"]),
        incident("groundswell:acme-1", status="proposed", links=["https://stspg.example/x1"]),
    ],
    ids=["another", "home", "broken", "track", "later", "same tool", "proposal"],
)
def test_what_does_not_belong_together_stays_apart(other: Incident) -> None:
    """Another address, another track, another time; what one tool says of its own; proposals."""
    ended = START + timedelta(hours=1)
    whole = page(status="resolved", resolved_at=ended, tracks=["acme"])
    assert merges(whole, other) == []


def test_a_short_id_is_no_name() -> None:
    """An address may end in any number or word."""
    plain = incident("jsm:12", url="https://acme.atlassian.example/browse/12")
    assert merges(plain, pager(links=["https://other.example/12"])) == []
    word = incident("folder:checkout")
    assert merges(word, pager(links=["https://docs.example/checkout"])) == []


def test_a_person_has_the_last_word() -> None:
    """What was undone is not done again, nor what was merged elsewhere."""
    other = pager(links=["https://stspg.example/x1"])
    assert merges(page(), other, decided("accept", PAGER)) == []
    assert merges(page(), other, decided("merge", PAGER, "jsm:OPS-1")) == []
    assert merges(page(), other, decided("merge", PAGE, PAGER)) == []


def test_a_merge_is_told_once_and_is_the_same_in_any_order() -> None:
    """Its id and time follow from the incidents."""
    told = [
        page(2),
        pager(links=["https://stspg.example/x1"]),
        incident("jsm:OPS-12345", 4, links=["https://acme.pagerduty.example/i/PFQZPSY"]),
    ]
    found = []
    for seed in range(6):
        Random(seed).shuffle(told)
        book = Book()
        for one in told:
            book.put(one)
        twins = Twins(book)
        found.append(sorted(twins.merges(), key=lambda merge: merge.subject))
        assert twins.merges() == []
        assert {book.resolve(one.id) for one in told} == {PAGE}
    assert all(merge == found[0] for merge in found)
    assert [merge.at for merge in found[0]] == [
        START + timedelta(minutes=4),
        START + timedelta(minutes=2),
    ]


@pytest.mark.parametrize(
    ("word", "objects"),
    [
        (decided("merge", PAGER, PAGE), False),
        (decided("merge", PAGE, PAGER), True),
        (decided("merge", PAGER, "jsm:nosuch"), True),
        (decided("merge", PAGER, PAGER), True),
        (decided("link", "x:1", PAGE), False),
        (decided("unlink", "x:1", PAGE), False),
        (decided("link", "x:1", "jsm:nosuch"), True),
        (decided("unlink", "x:1", "jsm:nosuch"), True),
        (decided("accept", PAGER), False),
        (decided("accept", PAGE), True),
        (decided("accept", "groundswell:acme-1"), False),
        (decided("dismiss", "groundswell:acme-1"), False),
    ],
)
def test_what_cannot_be_decided_is_objected_to(word: Decision, objects: bool) -> None:
    """Links to nowhere, a merge into nowhere or in a circle, taking out what is part of nothing."""
    parts = {PAGER: PAGE, PAGE: None}
    told = objection(word, parts.get, parts.__contains__)
    assert (told is not None) == objects


def test_a_merge_is_turned_around_by_two_words() -> None:
    """First it is taken back, then the other one becomes the part."""
    book = Book()
    for one in (page(), pager(links=["https://stspg.example/x1"])):
        book.put(one)
    Twins(book).merges()
    later: dict[str, Any] = {"by": "ann", "at": START + timedelta(hours=1)}
    book.decide(Decision(id="a", subject=PAGER, verb="accept", **later))
    book.decide(Decision(id="b", subject=PAGE, verb="merge", value=PAGER, **later))
    assert (book.resolve(PAGE), book.resolve(PAGER)) == (PAGER, PAGER)
    assert [one.incident.id for one in book.standing()] == [PAGER]
    assert Twins(book).merges() == []
