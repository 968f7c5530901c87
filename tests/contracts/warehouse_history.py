"""What every warehouse must remember: what was believed when, and no words of it."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model import Removal
from pipeline.ports import Rows, Warehouse
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    Word,
    apart,
    decision,
    feedback,
    in_parts,
    incident,
    late,
    link,
    minutes,
    rows_of,
    view,
    worlds,
)

#: The key of each history, and the columns that tell the present truth apart.
KEYS = {
    "mention_history": ("id",),
    "link_history": ("id", "incident_id"),
    "incident_history": ("incident_id",),
    "incident_as_known": ("incident_id",),
}


def believed(warehouse: Warehouse, name: str, at: float) -> list[dict[str, Any]]:
    """The rows of a history that held so many minutes after the start."""
    return [
        row
        for row in view(warehouse, name)
        if row["valid_from"] <= minutes(at)
        and (row["valid_to"] is None or row["valid_to"] > minutes(at))
    ]


def told(warehouse: Warehouse, name: str, column: str, *at: float) -> list[Any]:
    """What a column said of the one thing there is, at these minutes; None for nothing."""
    found = [believed(warehouse, name, each) for each in at]
    assert all(len(rows) <= 1 for rows in found)
    return [rows[0][column] if rows else None for rows in found]


class HistoryContract:
    """Part of the contract of ``WarehouseContract``."""

    def test_labels_of_an_older_model_are_remembered(self, warehouse: Warehouse) -> None:
        """As of a time before `relabel` the old labels are told, and by which model."""
        warehouse.write(Rows(feedback=[feedback(1)]), minutes(1))
        newer = feedback(1, model="m2", intent="question")
        warehouse.write(Rows(feedback=[newer]), minutes(5))
        assert told(warehouse, "mention_history", "intent", 0, 1, 4, 5, 99) == [
            *(None, "report", "report", "question", "question"),
        ]
        assert told(warehouse, "mention_history", "model_version", 4, 5) == ["m1", "m2"]

    def test_an_edit_is_a_version(self, warehouse: Warehouse) -> None:
        """What was made of the post before it was edited stays; its link ends with it."""
        linked = feedback(1, links=[link(OFFICIAL)])
        warehouse.write(Rows(feedback=[linked]), minutes(1))
        warehouse.write(Rows(feedback=[feedback(1, version=7, intent="praise")]), minutes(5))
        assert told(warehouse, "mention_history", "version", 1, 5) == [0, 7]
        assert told(warehouse, "mention_history", "intent", 1, 5) == ["report", "praise"]
        assert told(warehouse, "link_history", "link_state", 1, 5) == ["linked", None]

    def test_a_link_counts_from_when_it_came(self, warehouse: Warehouse) -> None:
        """Before the late link nothing was believed; when it was taken back, no more."""
        warehouse.write(Rows(feedback=[feedback(1)]), minutes(1))
        warehouse.write(Rows(links=[late(1, link(OFFICIAL, 0.5, "suggested"))]), minutes(3))
        warehouse.write(Rows(links=[late(1, link(OFFICIAL, 0.9, version=2))]), minutes(5))
        warehouse.write(Rows(links=[late(1, link(OFFICIAL, 0, "unlinked", 3))]), minutes(7))
        assert told(warehouse, "link_history", "link_state", 2, 3, 5, 7) == [
            *(None, "suggested", "linked", "unlinked"),
        ]
        assert told(warehouse, "link_history", "link_p", 3, 5) == [0.5, 0.9]

    def test_a_persons_word_ends_the_machines(self, warehouse: Warehouse) -> None:
        """From the time it was said, whatever the machine says later, until the person's next."""
        warehouse.write(Rows(feedback=[feedback(1, links=[link(OFFICIAL)])]), minutes(1))
        unlink = decision("d1", "unlink", "x:1", OFFICIAL, at=4)
        warehouse.write(Rows(decisions=[unlink]), minutes(5))
        warehouse.write(Rows(links=[late(1, link(OFFICIAL, 0.99, version=2))]), minutes(6))
        linked_again = decision("d2", "link", "x:1", OFFICIAL, at=8)
        warehouse.write(Rows(decisions=[linked_again]), minutes(9))
        times = (1, 4, 7, 8)
        assert told(warehouse, "link_history", "link_by", *times) == ["auto", *["person"] * 3]
        states = ["linked", "unlinked", "unlinked", "linked"]
        assert told(warehouse, "link_history", "link_state", *times) == states
        assert told(warehouse, "link_history", "decided_by", *times) == [None, *["ada"] * 3]

    def test_what_became_of_a_proposal(self, warehouse: Warehouse) -> None:
        """Its status by the owner's clock, and people's words from when they were said."""
        ours = incident(PROPOSAL, status="proposed", opened=1)
        said = [
            decision("d1", "dismiss", PROPOSAL, at=3),
            decision("d2", "accept", PROPOSAL, at=5),
            decision("d3", "merge", PROPOSAL, OFFICIAL, at=7),
        ]
        warehouse.write(Rows(incidents=[ours], decisions=said), minutes(9))
        assert told(warehouse, "incident_history", "status", 0, 1, 3, 5, 7) == [
            *(None, "proposed", "dismissed", "investigating", "investigating"),
        ]
        assert told(warehouse, "incident_history", "into_id", 5, 7) == [None, OFFICIAL]
        assert told(warehouse, "incident_history", "told_status", 7) == ["proposed"]

    def test_what_was_known_of_an_incident(self, warehouse: Warehouse) -> None:
        """Title, status and take-over as they stood here, whatever times the record tells of."""
        words = [
            incident(PROPOSAL, status="proposed", opened=1, title="Reports of trouble"),
            incident(PROPOSAL, status="proposed", opened=1, version=2, title="Reports of outage"),
            incident(
                PROPOSAL, status="proposed", opened=1, version=3, title="x", official_id=OFFICIAL
            ),
        ]
        for at, word in zip((11, 13, 15), words, strict=True):
            warehouse.write(Rows(incidents=[word]), minutes(at))
        warehouse.write(Rows(incidents=[words[1]]), minutes(17))  # known already
        times = (1, 11, 13, 15, 17)
        assert told(warehouse, "incident_as_known", "title", *times) == [
            *(None, "Reports of trouble", "Reports of outage", "x", "x"),
        ]
        known = [None, None, None, OFFICIAL, OFFICIAL]
        assert told(warehouse, "incident_as_known", "official_id", *times) == known
        assert told(warehouse, "incident_as_known", "version", *times) == [None, 1, 2, 3, 3]
        assert len(view(warehouse, "fct_incident_version")) == 2

    def test_the_owners_clock_is_not_ours(self, warehouse: Warehouse) -> None:
        """That it was over since minute 2 was known from minute 20: a view for each question."""
        opened = incident(opened=1)
        over = incident(status="resolved", opened=2, version=2)
        over = over.model_copy(update={"history": (*opened.history, *over.history)})
        warehouse.write(Rows(incidents=[opened]), minutes(10))
        warehouse.write(Rows(incidents=[over]), minutes(20))
        times = (1, 2, 10, 20)
        assert told(warehouse, "incident_history", "status", *times) == [
            *("investigating", "resolved", "resolved", "resolved"),
        ]
        assert told(warehouse, "incident_as_known", "status", *times) == [
            *(None, None, "investigating", "resolved"),
        ]

    def test_decisions_are_known_when_they_come(self, warehouse: Warehouse) -> None:
        """From when they were written here; one that comes after a later one never counted."""
        ours = incident(PROPOSAL, status="proposed", opened=1)
        warehouse.write(Rows(incidents=[ours]), minutes(10))
        merge = decision("d3", "merge", PROPOSAL, OFFICIAL, at=6)
        for at, word in [
            (12, decision("d1", "dismiss", PROPOSAL, at=3)),
            (14, merge),
            (16, decision("d2", "accept", PROPOSAL, at=5)),
        ]:
            warehouse.write(Rows(decisions=[word]), minutes(at))
        times = (3, 10, 12, 14, 16)
        assert told(warehouse, "incident_as_known", "status", *times) == [
            *(None, "proposed", "dismissed", "investigating", "investigating"),
        ]
        verbs = [None, None, "dismiss", "merge", "merge"]
        assert told(warehouse, "incident_as_known", "verb", *times) == verbs
        assert told(warehouse, "incident_as_known", "into_id", 12, 16) == [None, OFFICIAL]
        assert told(warehouse, "incident_as_known", "decided_by", 10, 12) == [None, "ada"]

    def test_the_same_again_is_no_history(self, warehouse: Warehouse) -> None:
        """Rows written twice, older ones that come late, and ones seen earlier add nothing."""
        new = feedback(1, version=3, model="m2", links=[link(OFFICIAL, version=5)])
        first_seen = new.mention.model_copy(update={"seen_at": minutes(-9)})
        old = feedback(1, links=[link(OFFICIAL)])
        for at, word in enumerate([new, new, old]):
            warehouse.write(Rows(feedback=[word]), minutes(at))
        warehouse.write(Rows(feedback=[new.model_copy(update={"mention": first_seen})]), minutes(4))
        for name in ("mention_history", "link_history"):
            (row,) = view(warehouse, name)
            assert (row["valid_from"], row["valid_to"]) == (START, None)
        assert view(warehouse, "feedback")[0]["seen_at"] == minutes(-9)

    def test_a_batch_of_nothing_but_repeats(self, warehouse: Warehouse) -> None:
        """Thousands of rows that are there already add nothing; edited, each has a version more."""
        posts = [feedback(number) for number in range(2_500)]
        for at in (1, 2):
            warehouse.write(Rows(feedback=posts), minutes(at))
        assert len(view(warehouse, "mention_history", "id, valid_from")) == len(posts)
        edited = [feedback(number, version=1, text="edited") for number in range(2_400)]
        warehouse.write(Rows(feedback=[*posts[2_400:], *edited]), minutes(3))
        history = view(warehouse, "mention_history", "id, version, valid_from, valid_to")
        assert len(history) == len(posts) + len(edited)
        assert chain_breaks(history, ("id",), holes=False) == []
        texts = warehouse.sql("SELECT count(*) FROM feedback WHERE text = 'edited'").rows
        assert texts == [(len(edited),)]

    def test_an_erasure_leaves_no_words_in_history(self, warehouse: Warehouse) -> None:
        """What was believed of an erased post stays, and says neither what nor who."""
        words = [feedback(1, links=[link(OFFICIAL)]), feedback(1, version=2, model="m2")]
        for at, word in enumerate(words, 1):
            warehouse.write(Rows(feedback=[word]), minutes(at))
        gone = Removal(removal="x:a1", kind="erased", at=minutes(9), scope="author")
        warehouse.write(Rows(removals=[gone]), minutes(9))
        assert told(warehouse, "mention_history", "model_version", 1, 2, 9) == ["m1", "m2", "m2"]
        held = repr([view(warehouse, name) for name in KEYS])
        assert "the shop" not in held
        assert not any(name in held for name in ("a1'", "handle-1", "x.example"))

    @pytest.mark.parametrize("backwards", [False, True])
    def test_history_never_overlaps(self, warehouse: Warehouse, backwards: bool) -> None:
        """Not even when the clock was set back between two writes."""
        for number in range(4):
            word = feedback(1, version=number, links=[link(OFFICIAL, version=number)])
            at = 10 - number if backwards else 10 + number
            known = incident(version=number + 1)
            warehouse.write(Rows(feedback=[word], incidents=[known]), minutes(at))
        assert chain_breaks(view(warehouse, "mention_history"), ("id",), holes=False) == []
        assert len(view(warehouse, "mention_history")) == 4
        chain = view(warehouse, "incident_as_known")
        assert chain_breaks(chain, ("incident_id",), holes=False) == []
        assert len(chain) == (1 if backwards else 4)

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(words=worlds(), data=st.data())
    def test_history_is_a_chain_that_ends_in_the_present(
        self, make: Make, words: list[Word], data: st.DataObject
    ) -> None:
        """Whatever comes in whatever order: no overlaps, no holes, and the last is what holds."""
        warehouse = written_apart(make, words, data.draw(st.randoms(use_true_random=False)))
        assert breaks(warehouse) == []
        past, present = ends_in_the_present(warehouse)
        warehouse.close()
        assert past == present


def written_apart(make: Make, words: list[Word], pick: random.Random) -> Warehouse:
    """A warehouse to which the words came in any order and batches, minutes apart or at once."""
    warehouse = make()
    at = 0
    for part in in_parts(apart(words, pick), pick):
        at += pick.randint(0, 2)
        warehouse.write(rows_of(part), minutes(at))
    return warehouse


def breaks(warehouse: Warehouse) -> list[tuple[str, Any]]:
    """Where the rows of any history do not follow each other, by its name."""
    return [
        (name, found)
        for name, key in KEYS.items()
        for found in chain_breaks(view(warehouse, name), key, holes=name == "link_history")
    ]


def chain_breaks(
    rows: list[dict[str, Any]], key: tuple[str, ...], *, holes: bool
) -> list[dict[str, Any]]:
    """Rows that overlap with the next of their key, leave a hole before it, or end the chain."""
    of_key: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        of_key.setdefault(tuple(row[name] for name in key), []).append(row)
    found = []
    for chain in of_key.values():
        chain.sort(key=lambda row: (row["valid_from"], row["valid_to"] or minutes(10**6)))
        for row, after in itertools.pairwise(chain):
            follows = (
                row["valid_to"] and row["valid_from"] <= row["valid_to"] <= after["valid_from"]
            )
            if not follows or not (holes or row["valid_to"] == after["valid_from"]):
                found.append(row)
        if not holes and chain[-1]["valid_to"] is not None:
            found.append(chain[-1])
    return found


def ends_in_the_present(warehouse: Warehouse) -> tuple[list[Any], list[Any]]:
    """What has no end in the histories, and what the tables of the present hold."""

    def asked(columns: str, source: str) -> list[tuple[Any, ...]]:
        return sorted(warehouse.sql(f"SELECT {columns} FROM {source}").rows)

    labels = "id, version, intent, intent_p, repeat_kind, repeat_group"
    still = "WHERE valid_to IS NULL"
    past = [asked(labels, f"mention_history {still}")]
    present = [asked(labels, "fct_mention")]
    # Where the links of a merged or dismissed incident went tells incident_history.
    if not asked("verb", "fct_decision WHERE verb IN ('merge', 'dismiss')"):
        link = "incident_id, link_state, link_p, link_by"
        past.append(asked(f"id, {link}", f"link_history {still}"))
        present.append(asked(f"mention_id, {link}", "link_now"))
    merged = "incident_id IN (SELECT subject FROM fct_decision WHERE verb = 'merge')"
    for name, now in [
        ("incident_history", "incident_id, status"),
        ("incident_as_known", "incident_id, version, title, status, impact"),
    ]:
        past.append(asked(now, f"{name} {still} AND NOT {merged}"))
        present.append(asked(now, f"incident_now WHERE NOT {merged}"))
    return past, present
