"""A warehouse with something in every stable view, and what its numbers must be.

Two hours on 2 March 2026. The status page opens ``statuspage:1`` at 09:30 and closes it at 10:30;
our proposal stood since 09:10. Three people report it in the first hour (one twice; one more post
is a copy), a fourth in the second, and a fifth after it was closed, whom a person linked. One
report of the track was never linked, one that was suggested was taken back.
"""

from datetime import datetime
from typing import TypeVar

from pipeline.model import (
    Component,
    Coverage,
    Evidence,
    Feedback,
    Label,
    Removal,
    Spend,
    StatusAt,
    Update,
)
from pipeline.ports import Receipt, Rows, Warehouse
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    decision,
    feedback,
    incident,
    late,
    link,
    minutes,
)

AnyWarehouse = TypeVar("AnyWarehouse", bound=Warehouse)


def filled(warehouse: AnyWarehouse) -> AnyWarehouse:
    """The same warehouse with all of it."""
    for at, rows in FILLED:
        warehouse.write(rows, at)
    return warehouse


def _claiming(word: Feedback) -> Feedback:
    """The same, with a claim of a cause and a place."""
    said = Evidence(kind="hacked", value="they were hacked", weight=1.0)
    claim = Label(name="yes", p=1.0, sure=True, evidence=(said,))
    place = Label(name="Leeds", p=0.9, sure=True)
    return word.model_copy(update={"labels": {**word.labels, "claim": claim, "place": place}})


_UPDATES = (
    Update(id="u1", status="investigating", body="We are looking into it.", display_at=minutes(30)),
    Update(id="u2", status="resolved", body="All is well.", display_at=minutes(90)),
)
_CLOSED = incident(status="resolved", opened=30, version=2).model_copy(
    update={
        "updates": _UPDATES,
        "resolved_at": minutes(90),
        "history": (
            StatusAt(at=minutes(30), status="investigating"),
            StatusAt(at=minutes(90), status="resolved"),
        ),
        "components": (Component(name="shop"),),
        "regions": ("Leeds",),
        "url": "https://status.example/1",
    }
)
_TO = [link(OFFICIAL)]
_POSTS = [
    feedback(1, author="ann", at=5, links=_TO),
    feedback(2, author="ann", at=20, links=_TO),
    feedback(3, author="ben", at=15, links=_TO),
    feedback(4, author="cem", at=40, links=_TO, repeat="copy", group=3),
    _claiming(feedback(5, author="dan", at=50, links=_TO)),
    feedback(6, author="eve", at=70, links=_TO),
    feedback(7, author="fay", at=45),
    feedback(8, author="gus", at=100),
    feedback(9, author="hal", at=55, intent="question", tracks=("acme", "other")),
    feedback(10, author="ida", at=56, intent="praise", tracks=()),
    feedback(11, author="jan", at=57, links=[link(OFFICIAL, 0.4, "suggested")]),
]
#: Batches and when each is written.
FILLED: list[tuple[datetime, Rows]] = [
    (
        minutes(60),
        Rows(
            feedback=_POSTS,
            incidents=[
                incident(PROPOSAL, status="proposed", opened=10, official_id=OFFICIAL),
                incident(opened=30),
            ],
            coverage=[
                Coverage(source="x", from_at=START, to_at=minutes(120)),
                Coverage(
                    source="x", from_at=minutes(30), to_at=minutes(75), is_gap=True, cause="stopped"
                ),
                Coverage(source="y", track="acme", from_at=START, to_at=minutes(60)),
            ],
            spend=[Spend(source="x", day=START, reads=100, cost=0.5, at=minutes(60))],
        ),
    ),
    (
        minutes(100),
        Rows(
            incidents=[_CLOSED],
            links=[late(9, link(PROPOSAL, 0.3, "suggested"), model="m2")],
            feedback=[
                feedback(1, author="ann", at=5, links=_TO, model="m2"),
                feedback(
                    9, author="hal", at=55, intent="complaint", tracks=("acme", "other"), model="m2"
                ),
            ],
            decisions=[
                decision("d1", "relabel", "x:6", "topic=payment", at=95),
                decision("d2", "link", "x:8", OFFICIAL, at=101),
                decision("d3", "unlink", "x:11", OFFICIAL, at=102),
            ],
            removals=[Removal(removal="x:10", kind="erased", at=minutes(99), scope="mention")],
            receipts=[Receipt("r1", minutes(99), minutes(99), "ada", "asked", 1, 1, ("a",))],
        ),
    ),
]
