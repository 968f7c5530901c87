"""What every warehouse must do, whichever database holds it.

A test class inherits ``WarehouseContract`` and gives the fixture ``make``: each call returns a new,
empty warehouse, all with the same key. Nothing here knows the database; what is read, is read from
the stable views or by named queries.
"""

import itertools
import random
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model import Removal
from pipeline.ports import Rows, Warehouse
from tests.contracts.warehouse_crowd import CrowdContract
from tests.contracts.warehouse_faults import FaultContract
from tests.contracts.warehouse_history import HistoryContract
from tests.contracts.warehouse_reading import Make, ReadingContract
from tests.contracts.warehouse_rollups import RollupContract
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    Word,
    all_views,
    apart,
    decision,
    feedback,
    in_parts,
    incident,
    late,
    link,
    listed,
    minutes,
    one,
    rows_of,
    view,
    worlds,
)

#: Rows by view.
Views = dict[str, list[dict[str, Any]]]


def in_two_orders(make: Make, words: list[Word], seed: int) -> tuple[Views, Views]:
    """All views after the words came at once, and after they came shuffled, apart and repeated."""
    pick = random.Random(seed)
    once, often = make(), make()
    once.write(rows_of(words), START)
    for part in in_parts(apart(words, pick) + pick.sample(words, len(words) // 2), pick):
        often.write(rows_of(part), START)
    with closing(once), closing(often):
        return all_views(once), all_views(often)


class WarehouseContract(
    ReadingContract, CrowdContract, RollupContract, FaultContract, HistoryContract
):
    """The contract. A subclass gives the fixture ``make``."""

    # ---- any order, any batches, any repetition

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(words=worlds(), seed=st.integers(0, 2**32))
    def test_order_batches_and_repetition_do_not_matter(
        self, make: Make, words: list[Word], seed: int
    ) -> None:
        """Whatever the order of arrival, the batches, the repetitions: the views are the same."""
        once, often = in_two_orders(make, words, seed)
        assert often == once

    def test_two_versions_in_one_batch(self, warehouse: Warehouse) -> None:
        """Of two versions in one batch the newer stays, wherever it stands."""
        old, new = feedback(1, text="old"), feedback(1, version=5, text="new")
        warehouse.write(Rows(feedback=[new, old]), START)
        assert one(warehouse, 1)["text"] == "new"

    def test_newer_model_replaces_labels(self, warehouse: Warehouse) -> None:
        """What a newer model says of a version counts; an older one coming later does not."""
        warehouse.write(Rows(feedback=[feedback(1, model="m2", intent="question")]), START)
        warehouse.write(Rows(feedback=[feedback(1, model="m1", intent="report")]), START)
        assert one(warehouse, 1)["intent"] == "question"

    def test_revision_grows(self, warehouse: Warehouse) -> None:
        """The revision is larger after every write."""
        before = warehouse.revision()
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        assert warehouse.revision() > before

    def test_nothing_is_no_error(self, warehouse: Warehouse) -> None:
        """An empty batch is written, and every view and query of an empty warehouse answers."""
        assert warehouse.write(Rows(), START) == []
        assert {name for name, rows in all_views(warehouse).items() if rows} == set()

    # ---- repeats

    def test_head_is_the_earliest(self, warehouse: Warehouse) -> None:
        """The head of a group is its earliest mention, also when it came last."""
        first, second = feedback(1, at=5), feedback(2, at=1, repeat="copy", group=1)
        warehouse.write(Rows(feedback=[first]), START)
        warehouse.write(Rows(feedback=[second]), START)
        head, other = one(warehouse, 2), one(warehouse, 1)
        assert (head["repeat_kind"], head["repeat_of"]) == ("original", None)
        assert (other["repeat_kind"], other["repeat_of"]) == ("copy", "x:2")

    def test_witnesses_are_distinct_authors_of_reports(self, warehouse: Warehouse) -> None:
        """Copies, reposts, noise, other intents and a second post of an author add no witness."""
        to = [link(OFFICIAL)]
        warehouse.write(
            Rows(
                incidents=[incident()],
                feedback=[
                    feedback(1, author="ann", links=to),
                    feedback(2, author="ann", links=to),
                    feedback(3, author="ben", links=to, repeat="copy", group=1, at=1),
                    feedback(4, author="cem", links=to, intent="question"),
                    feedback(5, author="dan", links=to, noise="yes"),
                    feedback(6, author=None, links=to),
                    feedback(
                        7, author=None, links=to, kind="repost", repeat="repost", group=1, at=2
                    ),
                    feedback(8, author="eve", links=[link(OFFICIAL, 0.4, "suggested")]),
                ],
            ),
            START,
        )
        row = listed(warehouse, OFFICIAL)
        assert (row["witnesses"], row["mentions"]) == (2, 7)

    # ---- links

    def test_link_of_an_older_version_does_not_count(self, warehouse: Warehouse) -> None:
        """When a post is edited, what linked its old text no longer counts."""
        warehouse.write(Rows(feedback=[feedback(1, links=[link(OFFICIAL)])]), START)
        assert one(warehouse, 1)["incident_id"] == OFFICIAL
        warehouse.write(Rows(feedback=[feedback(1, version=9)]), START)
        assert one(warehouse, 1)["incident_id"] is None
        assert view(warehouse, "incident_feedback") == []

    def test_unlinked_takes_a_link_back(self, warehouse: Warehouse) -> None:
        """A newer record of the incident may take the machine's link back, whatever comes first."""
        back = late(1, link(OFFICIAL, 0.1, "unlinked", version=2))
        warehouse.write(Rows(links=[back]), START)
        warehouse.write(Rows(feedback=[feedback(1, links=[link(OFFICIAL)])]), START)
        assert view(warehouse, "incident_feedback") == []

    def test_a_persons_word_wins(self, warehouse: Warehouse) -> None:
        """A person's link beats every automatic one, also later ones; their last word counts."""
        said = [
            decision("d1", "link", "x:1", "statuspage:2", at=1),
            decision("d2", "unlink", "x:1", OFFICIAL, at=2),
            decision("d3", "link", "x:1", OFFICIAL, at=1),
        ]
        warehouse.write(Rows(decisions=said), START)
        linked = feedback(1, version=3, links=[link(OFFICIAL, 0.99, version=7)])
        warehouse.write(Rows(feedback=[linked]), START)
        row = one(warehouse, 1)
        assert (row["incident_id"], row["link_by"], row["link_p"]) == ("statuspage:2", "person", 1)
        assert [r["incident_id"] for r in view(warehouse, "incident_feedback")] == ["statuspage:2"]

    def test_relabel(self, warehouse: Warehouse) -> None:
        """A person's label shows with certainty 1 and stays when the post is edited."""
        warehouse.write(Rows(decisions=[decision("d1", "relabel", "x:1", "intent=praise")]), START)
        warehouse.write(Rows(feedback=[feedback(1), feedback(1, version=2)]), START)
        row = one(warehouse, 1)
        assert (row["intent"], row["intent_p"]) == ("praise", 1)

    # ---- incidents

    def test_lead_of_a_proposal_taken_over(self, warehouse: Warehouse) -> None:
        """The lead is the official opening minus the proposal's, on both rows."""
        ours = incident(PROPOSAL, status="resolved", opened=2, official_id=OFFICIAL)
        both = [link(OFFICIAL, 0.7), link(PROPOSAL, 0.99)]
        warehouse.write(
            Rows(incidents=[ours, incident()], feedback=[feedback(1, links=both)]), START
        )
        assert listed(warehouse, PROPOSAL)["lead_seconds"] == 7 * 60
        assert listed(warehouse, OFFICIAL)["lead_seconds"] == 7 * 60
        assert one(warehouse, 1)["incident_id"] == OFFICIAL

    def test_merge_moves_links(self, warehouse: Warehouse) -> None:
        """What was linked to a proposal counts for the incident that a person merged it into."""
        warehouse.write(
            Rows(
                incidents=[incident(PROPOSAL, status="proposed", opened=1), incident()],
                feedback=[feedback(1, links=[link(PROPOSAL)])],
                decisions=[decision("d1", "merge", PROPOSAL, OFFICIAL)],
            ),
            START,
        )
        assert one(warehouse, 1)["incident_id"] == OFFICIAL
        assert listed(warehouse, OFFICIAL)["witnesses"] == 1
        proposal = listed(warehouse, PROPOSAL)
        assert (proposal["official_id"], proposal["witnesses"]) == (OFFICIAL, 0)
        assert proposal["lead_seconds"] == 8 * 60

    def test_a_merge_of_two_tools_takes_everything_along(self, warehouse: Warehouse) -> None:
        """Posts of both, and what was proposed before either; taken back, all is as it was."""
        other = "pagerduty:P1"
        warehouse.write(
            Rows(
                incidents=[
                    incident(PROPOSAL, status="resolved", opened=1, official_id=other),
                    incident(),
                    incident(other, opened=12),
                ],
                feedback=[
                    feedback(1, links=[link(OFFICIAL)]),
                    feedback(2, links=[link(other)]),
                    feedback(3, links=[link(PROPOSAL)]),
                ],
                decisions=[decision("d1", "merge", other, OFFICIAL)],
            ),
            START,
        )
        assert [one(warehouse, number)["incident_id"] for number in (1, 2)] == [OFFICIAL] * 2
        assert listed(warehouse, OFFICIAL)["witnesses"] == 2
        assert listed(warehouse, other)["official_id"] == OFFICIAL
        assert listed(warehouse, PROPOSAL)["official_id"] == OFFICIAL
        assert listed(warehouse, PROPOSAL)["lead_seconds"] == 8 * 60
        warehouse.write(Rows(decisions=[decision("d2", "accept", other, at=40)]), START)
        assert [one(warehouse, number)["incident_id"] for number in (1, 2)] == [OFFICIAL, other]
        assert listed(warehouse, PROPOSAL)["official_id"] == other

    def test_dismiss_and_accept(self, warehouse: Warehouse) -> None:
        """A dismissed proposal has no posts; accepting it later brings them back."""
        warehouse.write(
            Rows(
                incidents=[incident(PROPOSAL, status="proposed")],
                feedback=[feedback(1, links=[link(PROPOSAL)])],
                decisions=[decision("d1", "dismiss", PROPOSAL, at=1)],
            ),
            START,
        )
        assert listed(warehouse, PROPOSAL)["status"] == "dismissed"
        assert one(warehouse, 1)["incident_id"] is None
        warehouse.write(Rows(decisions=[decision("d2", "accept", PROPOSAL, at=2)]), START)
        assert listed(warehouse, PROPOSAL)["status"] == "investigating"
        assert one(warehouse, 1)["incident_id"] == PROPOSAL

    # ---- removals

    def test_hidden_and_shown(self, warehouse: Warehouse) -> None:
        """A hidden post shows no text until it is shown again; the newest request counts."""
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        hide = Removal(removal="x:1", kind="hidden", at=minutes(5))
        assert warehouse.write(Rows(removals=[hide]), START) == []
        assert (one(warehouse, 1)["text"], one(warehouse, 1)["is_removed"]) == (None, True)
        show = Removal(removal="x:1", kind="shown", at=minutes(6))
        warehouse.write(Rows(removals=[show, hide]), START)
        assert one(warehouse, 1)["is_removed"] is False
        assert one(warehouse, 1)["text"] is not None

    def test_links_of_removed_posts_are_not_told(self, warehouse: Warehouse) -> None:
        """While a post is hidden its links are, whoever made them; shown again they are there."""
        linked = feedback(1, links=[link(OFFICIAL)])
        warehouse.write(Rows(feedback=[linked], incidents=[incident()]), START)
        for at, kind, expected in ((9, "hidden", []), (10, "shown", ["x:1"])):
            asked = {"removal": "x:1", "kind": kind, "at": minutes(at)}
            warehouse.write(Rows(removals=[Removal.model_validate(asked)]), START)
            assert [r["id"] for r in view(warehouse, "incident_feedback")] == expected

    @pytest.mark.parametrize("removed_first", [True, False])
    def test_erased_for_good(self, warehouse: Warehouse, removed_first: bool) -> None:
        """Erased before or after it came, a post has no text, counts on, and is reported."""
        batches = [
            Rows(feedback=[feedback(1, links=[link(OFFICIAL)])]),
            Rows(removals=[Removal(removal="x:1", kind="erased", at=minutes(9))]),
        ]
        named = [
            warehouse.write(batch, START)
            for batch in (reversed(batches) if removed_first else batches)
        ]
        assert named == [[], ["x:1"]]
        row = one(warehouse, 1)
        assert (row["text"], row["is_removed"], row["intent"]) == (None, True, "report")
        assert warehouse.rows("newest_feedback") == []
        (post,) = warehouse.rows("mention", id="x:1")
        assert (post["handle"], post["url"], post["label_evidence"]) == (None, None, None)
        assert [told["evidence"] for told in post["links"]] == [None]
        assert view(warehouse, "incident_feedback") == []

    def test_links_of_an_erased_post_are_known(self, warehouse: Warehouse) -> None:
        """By which its late links leave their topic; one that comes later tells the post again."""
        gone = Removal(removal="x:1", kind="erased", at=minutes(9))
        posts = [feedback(1, links=[link(OFFICIAL)]), feedback(2, links=[link(OFFICIAL)])]
        warehouse.write(Rows(feedback=posts), START)
        assert warehouse.write(Rows(removals=[gone]), START) == ["x:1"]
        assert warehouse.write(Rows(links=[late(1, link(PROPOSAL))]), START) == ["x:1"]
        assert warehouse.write(Rows(links=[late(2, link(PROPOSAL))]), START) == []
        assert warehouse.rows("links_of", ids=["x:1", "x:3"]) == [
            {"mention_id": "x:1", "incident_id": incident_id}
            for incident_id in sorted([OFFICIAL, PROPOSAL])
        ]

    @pytest.mark.parametrize("turn", list(itertools.permutations(range(3))))
    def test_reasons_for_links_go_without_their_post(
        self, warehouse: Warehouse, turn: tuple[int, ...]
    ) -> None:
        """Whatever came first or never: the reason for an erased post's link, which quotes it."""
        batches = [
            Rows(links=[late(1, link(OFFICIAL)), late(2, link(OFFICIAL))]),
            Rows(removals=[Removal(removal="x:1", kind="erased", at=minutes(9))]),
            Rows(links=[late(1, link(PROPOSAL))]),
        ]
        named = [warehouse.write(batches[n], START) for n in turn]
        # From the request on, whenever links of it are here or come.
        erased = turn.index(1)
        assert named == [["x:1"] if n >= max(erased, 1) else [] for n in range(3)]
        found = warehouse.sql("SELECT mention_id, evidence IS NULL FROM fct_link").rows
        assert sorted({(mention, bool(empty)) for mention, empty in found}) == [
            ("x:1", True),
            ("x:2", False),
        ]

    def test_erasing_an_author(self, warehouse: Warehouse) -> None:
        """An author's posts up to the time asked for go, later ones stay; it counts once."""
        to = [link(OFFICIAL)]
        gone = Removal(removal="x:ann", kind="erased", at=minutes(5), scope="author")
        early = [feedback(n, author="ann", at=n, links=to) for n in (1, 2)]
        warehouse.write(Rows(feedback=early, incidents=[incident()]), START)
        known = one(warehouse, 1)["author_key"]
        assert sorted(warehouse.write(Rows(removals=[gone]), START)) == ["x:1", "x:2"]
        more = [feedback(3, author="ann", at=3, links=to), feedback(9, author="ann", at=9)]
        assert warehouse.write(Rows(feedback=more), START) == ["x:3"]
        removed = {r["id"]: r["is_removed"] for r in view(warehouse, "feedback")}
        assert removed == {"x:1": True, "x:2": True, "x:3": True, "x:9": False}
        keys = {one(warehouse, n)["author_key"] for n in (1, 2, 3)}
        assert len(keys) == 1
        assert keys != {known}
        assert listed(warehouse, OFFICIAL)["witnesses"] == 1

    def test_removals_name_no_author(self, warehouse: Warehouse) -> None:
        """The view removals gives a post's id once the post is there, and never an author's."""
        asked = [
            Removal(removal="x:1", kind="erased", at=START, scope="mention"),
            Removal(removal="x:ann", kind="erased", at=START),
        ]
        warehouse.write(Rows(removals=asked), START)
        assert all("x:" not in row["id"] for row in view(warehouse, "removals"))
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        ids = [row["id"] for row in view(warehouse, "removals")]
        assert [i for i in ids if ":" in i] == ["x:1"]

    def test_erase_gives_a_receipt(self, warehouse: Warehouse) -> None:
        """The receipt says what was done and when, and nothing about whom."""
        warehouse.write(Rows(feedback=[feedback(1, author="ann")]), START)
        removal = Removal(removal="x:ann", kind="erased", at=minutes(9), scope="author")
        receipt = warehouse.erase([removal], minutes(10))
        assert receipt["mentions"] == 1
        assert "ann" not in repr(receipt)
        assert one(warehouse, 1)["text"] is None
        warehouse.write(Rows(feedback=[feedback(2)]), START)
        assert one(warehouse, 2)["text"] is not None
