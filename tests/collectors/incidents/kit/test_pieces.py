"""Incidents out of pieces: the same for any order, and bounded."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.incidents.kit.pieces import Ledger, piece
from collectors.incidents.kit.tool import House
from pipeline.errors import SetAside
from pipeline.model import Incident, StatusAt, Update

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUSE = House("acme")

moments = st.integers(0, 5).map(lambda minute: START + timedelta(minutes=minute))
statuses = st.sampled_from(["investigating", "identified", "monitoring", "resolved", "dismissed"])
steps = st.lists(
    st.builds(lambda at, status: StatusAt(at=at, status=status), moments, statuses), max_size=2
)
updates = st.lists(
    st.builds(
        lambda number, body, at: Update(id=number, body=body, display_at=at),
        st.sampled_from([None, "u1", "u2"]),
        st.sampled_from(["It fails.", "See https://status.example/7."]),
        moments,
    ),
    max_size=2,
)
pieces = st.builds(
    lambda number, at, fields, history, said: piece(
        f"acme:{number}", at, **fields, history=tuple(history) or None, updates=tuple(said) or None
    ),
    st.sampled_from(["1", "2"]),
    moments,
    st.fixed_dictionaries(
        {},
        optional={
            "title": st.sampled_from(["Checkout fails", "Login fails"]),
            "impact": st.sampled_from(["minor", "critical"]),
            "components": st.sampled_from([[], [{"id": "c", "name": "Checkout"}]]),
            "links": st.sampled_from([(), ("https://a.example/1", "https://b.example/2")]),
            "resolved_at": moments,
        },
    ),
    steps,
    updates,
)


def told(found: list[Incident], ledger: Ledger | None = None) -> dict[str, dict[str, Any]]:
    """Each incident as it was told last, but for the version; versions must rise."""
    ledger, known, versions = ledger or Ledger(), dict[str, dict[str, Any]](), dict[str, int]()
    for one in found:
        values = ledger.fold(one)
        if values is not None:
            made = HOUSE.incident(values)
            assert made.version > versions.get(made.id, -1)
            versions[made.id] = made.version
            known[made.id] = made.model_dump(exclude={"version"})
    return known


@given(st.lists(pieces, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_pieces_gives_the_same(
    found: list[Incident], chance: Random
) -> None:
    """Also where pieces of one moment contradict each other, and over restarts."""
    again = found * 2
    chance.shuffle(again)
    assert told(again) == told(found)
    half = len(again) // 2
    before = Ledger()
    first = told(again[:half], before)
    after = Ledger()
    after.recall(json.loads(json.dumps(before.state)))
    assert first | told(again[half:], after) == told(found)


def test_a_piece_without_a_title_or_a_status_waits() -> None:
    """It is not told before it can be, and then it is in it."""
    ledger = Ledger()
    said = Update(id="1", body="The cache is full.", display_at=START)
    assert ledger.fold(piece("acme:1", START, updates=(said,))) is None
    assert ledger.fold(piece("acme:1", START, title="Checkout fails")) is None
    step = StatusAt(at=START, status="investigating")
    values = ledger.fold(piece("acme:1", START, history=(step,)))
    assert values is not None
    made = HOUSE.incident(values)
    assert [update.body for update in made.updates] == ["The cache is full."]


def test_an_end_counts_until_it_is_opened_again() -> None:
    """A postmortem is written long after the end; what was opened again has no end."""

    def ended(*history: tuple[int, str]) -> datetime | None:
        found = tuple(
            StatusAt.model_validate({"at": START + timedelta(minutes=at), "status": status})
            for at, status in history
        )
        values = Ledger().fold(piece("acme:1", START, title="Checkout fails", history=found))
        assert values is not None
        return HOUSE.incident(values).resolved_at

    over = START + timedelta(minutes=5)
    assert ended((0, "investigating"), (5, "resolved"), (90, "postmortem")) == over
    assert ended((0, "investigating"), (2, "resolved"), (3, "identified"), (5, "resolved")) == over
    assert ended((0, "investigating"), (5, "resolved"), (6, "investigating")) is None


def test_the_ledger_is_bounded() -> None:
    """What ended goes first; what is told of it later is passed over, for it would be a part."""
    ledger = Ledger(room=20_000)
    for number in range(200):
        state = "resolved" if number % 2 else "identified"
        step = StatusAt.model_validate({"at": START + timedelta(minutes=number), "status": state})
        ledger.fold(piece(f"acme:{number}", step.at, title="Checkout fails", history=(step,)))
    assert len(json.dumps(ledger.state["incidents"])) < 30_000
    kept = ledger.state["incidents"]
    assert "acme:199" in kept
    assert {f"acme:{number}" for number in range(0, 200, 2)} <= set(kept)
    assert "acme:1" in ledger.state["forgotten"]
    late = piece("acme:1", START + timedelta(days=9), title="Checkout failed")
    assert ledger.fold(late) is None


def test_addresses_in_updates_are_links() -> None:
    """As they stand there, without what ends a sentence."""
    body = "See https://status.example/7, (https://a.example/b?c=d). And http://x"
    said = Update(id="1", body=body, display_at=START)
    step = StatusAt(at=START, status="investigating")
    values = Ledger().fold(
        piece("acme:1", START, title="Checkout fails", history=(step,), updates=(said,))
    )
    assert values is not None
    links = ("https://status.example/7", "https://a.example/b?c=d")
    assert HOUSE.incident(values).links == links


def test_what_is_no_field_of_an_incident_is_set_aside() -> None:
    """With the name of the field, without its text."""
    with pytest.raises(SetAside, match="title") as raised:
        piece("acme:1", START, title=["a secret"])
    assert "secret" not in str(raised.value)
