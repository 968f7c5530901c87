"""Counts at rest, in every warehouse: nobody can tell by its views that they exist."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model import Campaign, Decision, Feedback
from pipeline.ports import Rows, Warehouse
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    Word,
    decision,
    feedback,
    incident,
    late,
    link,
    listed,
    minutes,
    rows_of,
    view,
    worlds,
)

COUNTED = ("mentions_hourly", "incidents")


def counts(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    """What the views say that are made of counts."""
    return {name: view(warehouse, name) for name in COUNTED}


def moved(word: Word, seed: int) -> Word:
    """A feedback at another hour, which may be another one in each version."""
    if not isinstance(word, Feedback):
        return word
    pick = random.Random(f"{seed} {word.mention.id} {word.mention.version}")
    at = word.mention.event_at + timedelta(hours=pick.choice((0, 0, 1, 30)))
    return word.model_copy(update={"mention": word.mention.model_copy(update={"event_at": at})})


def batches(words: list[Word], pick: random.Random) -> list[Rows]:
    """The words in some order, a few at a time, with brigades among them."""
    pick.shuffle(words)
    rest, made = iter(words), []
    while some := list(islice(rest, pick.randint(1, 6))):
        campaigns = [
            Campaign(mention=f"x:{pick.randrange(5)}", mention_version=0, kind="variants")
            for _ in range(pick.random() < 0.3)
        ]
        # Ids of decisions are used again for something else, as no client should.
        again = [
            word.model_copy(update={"id": "d0"})
            for word in some
            if isinstance(word, Decision) and pick.random() < 0.3
        ]
        rows = rows_of(some)
        made.append(replace(rows, campaigns=campaigns, decisions=[*rows.decisions, *again]))
    return made


class RollupContract:
    """Part of the contract of ``WarehouseContract``."""

    @settings(
        max_examples=10,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(words=worlds(), seed=st.integers(0, 2**32))
    def test_counts_at_rest_change_nothing(self, make: Make, words: list[Word], seed: int) -> None:
        """After any writes with roll-ups in between, the views say what they say without any."""
        pick = random.Random(seed)
        rolled, plain = make(), make()
        for rows in batches([moved(word, seed) for word in words], pick):
            rolled.write(rows, START)
            plain.write(rows, START)
            if pick.random() < 0.5:
                rolled.roll_up(START)
            if pick.random() < 0.3:
                assert counts(rolled) == counts(plain)
        assert counts(rolled) == counts(plain)
        rolled.close()
        plain.close()

    def test_a_roll_up_with_nothing_new_is_none(self, warehouse: Warehouse) -> None:
        """The second in a row has nothing to do; the next write gives it something."""
        warehouse.write(Rows(feedback=[feedback(1, links=[link(OFFICIAL)])]), START)
        assert warehouse.roll_up(START) > 0
        assert warehouse.roll_up(START) == 0
        warehouse.write(Rows(feedback=[feedback(2)]), START)
        assert warehouse.roll_up(START) > 0

    def test_a_late_head_makes_others_repeats(self, warehouse: Warehouse) -> None:
        """What comes late and was said first witnesses instead of the head that was counted."""
        incidents = [incident()]
        copy = feedback(2, at=90, group=1, repeat="copy", links=[link(OFFICIAL)])
        warehouse.write(Rows(feedback=[copy], incidents=incidents), START)
        warehouse.roll_up(START)
        assert listed(warehouse, OFFICIAL)["witnesses"] == 1
        warehouse.write(Rows(feedback=[feedback(1, at=5)]), START)
        assert listed(warehouse, OFFICIAL)["witnesses"] == 0
        hours = [(row["hour"].hour, row["witnesses"]) for row in view(warehouse, "mentions_hourly")]
        assert sorted(hours) == [(9, 1), (10, 0)]

    def test_people_change_counts_at_rest(self, warehouse: Warehouse) -> None:
        """Links, merges, dismissals and relabels after a roll-up count at once."""
        posts = [feedback(n, links=[link(PROPOSAL)]) for n in range(3)]
        incidents = [incident(), incident(PROPOSAL, status="proposed")]
        warehouse.write(Rows(feedback=posts, incidents=incidents), START)
        warehouse.roll_up(START)

        def settle(settled: Decision) -> tuple[int, int]:
            warehouse.write(Rows(decisions=[settled]), START)
            return listed(warehouse, PROPOSAL)["mentions"], listed(warehouse, OFFICIAL)["mentions"]

        assert settle(decision("d1", "link", "x:0", OFFICIAL)) == (3, 1)
        assert settle(decision("d2", "merge", PROPOSAL, OFFICIAL)) == (0, 3)
        warehouse.roll_up(START)
        assert settle(decision("d3", "dismiss", PROPOSAL, at=40)) == (0, 1)
        assert settle(decision("d4", "accept", PROPOSAL, at=50)) == (3, 1)
        settle(decision("d5", "relabel", "x:0", "intent=question"))
        assert listed(warehouse, OFFICIAL)["witnesses"] == 0

    def test_late_links_and_new_versions_count(self, warehouse: Warehouse) -> None:
        """A link that comes after a roll-up is counted, and one of an older version no longer."""
        warehouse.write(Rows(feedback=[feedback(1), feedback(2)], incidents=[incident()]), START)
        warehouse.roll_up(START)
        warehouse.write(Rows(links=[late(1, link(OFFICIAL))]), START)
        assert listed(warehouse, OFFICIAL)["mentions"] == 1
        warehouse.roll_up(START)
        warehouse.write(Rows(feedback=[feedback(1, version=1, at=130)]), minutes(5))
        assert listed(warehouse, OFFICIAL)["mentions"] == 0
        hours = {row["hour"].hour: row["mentions"] for row in view(warehouse, "mentions_hourly")}
        assert hours == {9: 1, 11: 1}
