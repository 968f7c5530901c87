"""What every warehouse must do, whichever database holds it.

A test class inherits ``WarehouseContract`` and gives the fixture ``make``: each call returns a new,
empty warehouse, all with the same key. Nothing here knows the database; what is read, is read from
the stable views or by named queries.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Misuse
from pipeline.model import (
    Author,
    Coverage,
    Decision,
    Evidence,
    Feedback,
    Incident,
    Kind,
    Label,
    LateLink,
    Link,
    LinkState,
    Mention,
    Removal,
    Repeat,
    RepeatKind,
    Status,
    StatusAt,
)
from pipeline.ports import Rows, Warehouse

Make = Callable[[], Warehouse]
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
OFFICIAL, PROPOSAL = "statuspage:1", "groundswell:acme-20260302T0900"
VIEWS = {
    "feedback": (
        "id, source, kind, author_key, text, said_at, event_at, seen_at, updated_at, track, "
        "intent, intent_p, topic, severity, sentiment, is_informative, is_noise, component, place, "
        "app_version, language, repeat_kind, repeat_of, repeat_group, incident_id, link_state, "
        "link_p, link_by, model_version, is_removed"
    ),
    "mention_tracks": "id, track",
    "incident_feedback": "id, incident_id, link_state, link_p, link_by, evidence, decided_at",
    "incidents": (
        "incident_id, title, status, impact, track, started_at, opened_at, resolved_at, "
        "is_proposed, official_id, lead_seconds, witnesses, mentions"
    ),
    "coverage": "source, track, from_at, to_at, is_gap, cause",
    "mentions_hourly": "track, hour, intent, topic, mentions, witnesses",
    "removals": "id, kind, asked_at, done_at",
}
#: When a row was written depends on the batch it came in.
OF_THE_WRITE = {"updated_at", "done_at"}


def minutes(count: float) -> datetime:
    """So many minutes after the start."""
    return START + timedelta(minutes=count)


def feedback(
    number: int | str,
    *,
    version: int = 0,
    author: str | None = "",
    text: str | None = None,
    at: float = 0,
    kind: Kind = "post",
    intent: str = "report",
    noise: str = "no",
    repeat: RepeatKind = "original",
    group: int | str | None = None,
    links: Sequence[Link] = (),
    model: str = "m1",
    tracks: tuple[str, ...] = ("acme",),
) -> Feedback:
    """A mention ``x:<number>`` with what was made of it; the author defaults to its own."""
    mention = Mention(
        source="x",
        external_id=str(number),
        kind=kind,
        author=Author(id=f"a{number}" if author == "" else author, handle=f"handle-{number}"),
        text=f"the shop is down, says {number}" if text is None else text,
        said_at=minutes(at),
        url=f"https://x.example/{number}",
        tracks=tracks,
        version=version,
    )
    quoted = Evidence(kind="alias", value="the shop", weight=1.0)
    labels = {
        "intent": Label(name=intent, p=0.9, sure=True),
        "noise": Label(name=noise, p=0.8, sure=True),
        "component": Label(name="shop", p=0.7, sure=True, evidence=(quoted,)),
    }
    return Feedback(
        mention=mention,
        repeat=Repeat(kind=repeat, group=f"x:{number if group is None else group}"),
        labels=labels,
        links=tuple(links),
        model=model,
    )


def link(incident: str, p: float = 0.9, state: LinkState = "linked", version: int = 1) -> Link:
    """The machine's link, with a reason that quotes the post."""
    reason = Evidence(kind="text", value="says 'the shop is down'", weight=1.2)
    return Link(incident=incident, p=p, state=state, evidence=(reason,), incident_version=version)


def late(number: int, to: Link, version: int = 0, model: str = "m1") -> LateLink:
    """A link that came after its mention."""
    return LateLink(mention=f"x:{number}", mention_version=version, model=model, link=to)


def incident(
    incident_id: str = OFFICIAL,
    *,
    status: Status = "investigating",
    opened: float = 9,
    version: int = 1,
    official_id: str | None = None,
    title: str = "The shop is failing",
) -> Incident:
    """An incident of the track acme that began at the start and was opened later."""
    return Incident(
        id=incident_id,
        title=title,
        status=status,
        started_at=START,
        history=(StatusAt(at=minutes(opened), status=status),),
        at=minutes(opened),
        version=version,
        tracks=("acme",),
        official_id=official_id,
    )


def decision(name: str, verb: Any, subject: str, value: str = "", at: float = 30) -> Decision:
    """What a person settled."""
    return Decision(id=name, verb=verb, subject=subject, value=value, by="ada", at=minutes(at))


def view(warehouse: Warehouse, name: str, columns: str = "*") -> list[dict[str, Any]]:
    """The rows of a view in a fixed order, without what depends on the moment of writing."""
    table = warehouse.sql(f"SELECT {columns} FROM {name}")
    kept = [i for i, column in enumerate(table.columns) if column not in OF_THE_WRITE]
    rows = [{table.columns[i]: row[i] for i in kept} for row in table.rows]
    return sorted(rows, key=lambda row: [repr(value) for value in row.values()])


def all_views(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    """The stable views with their stable columns."""
    return {name: view(warehouse, name, columns) for name, columns in VIEWS.items()}


def one(warehouse: Warehouse, number: int) -> dict[str, Any]:
    """The row of the mention ``x:<number>`` in the view feedback."""
    (row,) = [r for r in view(warehouse, "feedback") if r["id"] == f"x:{number}"]
    return row


def listed(warehouse: Warehouse, incident_id: str) -> dict[str, Any]:
    """The row of an incident."""
    (row,) = [r for r in view(warehouse, "incidents") if r["incident_id"] == incident_id]
    return row


# ---- a small world, in any order ----------------------------------------------------------------

Word = Feedback | LateLink | Incident | Decision | Removal | Coverage
_INCIDENTS = (OFFICIAL, PROPOSAL, "groundswell:acme-20260302T1000")


@st.composite
def worlds(draw: st.DrawFn) -> list[Word]:
    """Words about five mentions and three incidents; one revision always has one content."""
    pick = random.Random(draw(st.integers(0, 2**32)))
    words: list[Word] = []
    for number in range(5):
        for version in range(pick.randint(0, 3)):
            models = pick.sample(["m1", "m2"], pick.randint(1, 2))
            words += [_some_feedback(pick, number, version, model) for model in models]
    for name in _INCIDENTS:
        words += [_some_incident(pick, name, n) for n in range(1, pick.randint(1, 4))]
    words += [_some_decision(pick, n) for n in range(pick.randint(0, 8))]
    words += [_some_removal(pick) for _ in range(pick.randint(0, 4))]
    for _ in range(pick.randint(0, 3)):
        span = minutes(pick.randint(0, 2)), minutes(pick.randint(3, 5))
        words.append(
            Coverage(source="x", from_at=span[0], to_at=span[1], is_gap=pick.random() < 0.3)
        )
    return words


def _some_link(pick: random.Random) -> Link:
    state: LinkState = pick.choice(("linked", "suggested", "unlinked"))
    return link(pick.choice(_INCIDENTS), pick.randint(1, 99) / 100, state, pick.randint(1, 3))


def _some_feedback(pick: random.Random, number: int, version: int, model: str) -> Feedback:
    chosen = {each.incident: each for each in (_some_link(pick) for _ in range(pick.randint(0, 2)))}
    return feedback(
        number,
        version=version,
        model=model,
        author=(f"a{number % 2}", None)[pick.random() < 0.1],
        at=number % 3,
        kind="post" if number else "repost",
        text=f"{number} {version} {model}",
        intent=pick.choice(("report", "question")),
        repeat=pick.choice(("original", "copy", "near")),
        group=pick.choice((number, 1)),
        links=tuple(chosen.values()),
        tracks=pick.choice(((), ("acme",), ("acme", "other"))),
    )


def _some_incident(pick: random.Random, name: str, version: int) -> Incident:
    takes_over = OFFICIAL if name != OFFICIAL and pick.random() < 0.3 else None
    status: Status = pick.choice(("proposed", "investigating", "resolved"))
    return incident(
        name, status=status, opened=pick.randint(0, 9), version=version, official_id=takes_over
    )


def _some_decision(pick: random.Random, number: int) -> Decision:
    verb = pick.choice(("relabel", "link", "unlink", "accept", "dismiss", "merge"))
    about_mention = verb in {"relabel", "link", "unlink"}
    subject = f"x:{pick.randrange(5)}" if about_mention else pick.choice(_INCIDENTS[1:])
    values = {"relabel": pick.choice(("intent=question", "intent=report", "noise=yes"))}
    value = values.get(verb, "" if verb in {"accept", "dismiss"} else pick.choice(_INCIDENTS))
    return decision(f"d{number}", verb, subject, value, pick.randint(0, 3))


def _some_removal(pick: random.Random) -> Removal:
    by_author = pick.random() < 0.4
    subject = f"x:a{pick.randrange(2)}" if by_author else f"x:{pick.randrange(5)}"
    scope = pick.choice((None, "author" if by_author else "mention"))
    kind = pick.choice(("hidden", "shown", "erased"))
    return Removal(removal=subject, kind=kind, at=minutes(pick.randint(0, 3)), scope=scope)


def rows_of(words: Sequence[Word]) -> Rows:
    """A batch of words of any kind."""
    return Rows(
        feedback=[w for w in words if isinstance(w, Feedback)],
        links=[w for w in words if isinstance(w, LateLink)],
        incidents=[w for w in words if isinstance(w, Incident)],
        decisions=[w for w in words if isinstance(w, Decision)],
        removals=[w for w in words if isinstance(w, Removal)],
        coverage=[w for w in words if isinstance(w, Coverage)],
    )


def apart(words: Sequence[Word], pick: random.Random) -> list[Word]:
    """The words with some links taken out of their feedback, to come on their own."""
    result: list[Word] = []
    for word in words:
        if isinstance(word, Feedback) and pick.random() < 0.5:
            result += [late_of(word, each) for each in word.links]
            word = word.model_copy(update={"links": ()})
        result.append(word)
    return result


def late_of(word: Feedback, each: Link) -> LateLink:
    """A link of a feedback as a record of its own."""
    return LateLink(
        mention=word.mention.id, mention_version=word.mention.version, model=word.model, link=each
    )


class WarehouseContract:
    """The contract. A subclass gives the fixture ``make``."""

    @pytest.fixture
    def warehouse(self, make: Make) -> Warehouse:
        return make()

    # ---- any order, any batches, any repetition

    @settings(
        max_examples=25,
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
        pick = random.Random(seed)
        once, often = make(), make()
        once.write(rows_of(words), START)
        shuffled = apart(words, pick) + pick.sample(words, len(words) // 2)
        pick.shuffle(shuffled)
        while shuffled:
            size = pick.randint(1, len(shuffled))
            often.write(rows_of(shuffled[:size]), START)
            shuffled = shuffled[size:]
        expected, got = all_views(once), all_views(often)
        once.close()
        often.close()
        assert got == expected

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
        assert [r["evidence"] for r in view(warehouse, "incident_feedback")] == [None]

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

    # ---- reading

    def test_hostile_words_stay_words(self, warehouse: Warehouse) -> None:
        """Quotes, SQL, markup and odd characters come back as they were."""
        text = "'); DROP TABLE fct_mention; --\"<script>alert(1)</script>\u202e\u0301 \ufffd 🔥"
        nasty = "a'; DELETE FROM meta; --"
        warehouse.write(Rows(feedback=[feedback(nasty, text=text, tracks=(nasty,))]), START)
        (row,) = warehouse.rows("newest_feedback", track=nasty)
        assert (row["id"], row["text"], row["tracks"]) == (f"x:{nasty}", text, [nasty])
        assert warehouse.rows("mention", id="' OR 1=1 --") == []

    @pytest.mark.parametrize(
        "text",
        [
            "DELETE FROM feedback",
            "SELECT 1; SELECT 2",
            "DROP VIEW feedback",
            "CREATE TABLE mine (a INTEGER)",
            "nonsense",
            "SELECT missing FROM feedback",
            "",
        ],
    )
    def test_sql_only_reads(self, warehouse: Warehouse, text: str) -> None:
        """Whatever is not one reading statement is refused in one line."""
        with pytest.raises(Misuse) as refused:
            warehouse.sql(text)
        assert "\n" not in str(refused.value)

    def test_sql_is_cut_and_stopped(self, warehouse: Warehouse) -> None:
        """Rows are cut at the limit and time at its own."""
        warehouse.write(Rows(feedback=[feedback(n) for n in range(3)]), START)
        table = warehouse.sql("SELECT id FROM feedback ORDER BY id", limit=2)
        assert (table.rows, table.cut) == ([("x:0",), ("x:1",)], True)
        assert warehouse.sql("SELECT id FROM feedback", limit=3).cut is False
        slow = (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
        )
        with pytest.raises(Misuse, match="longer than"):
            warehouse.sql(slow, seconds=0.2)

    def test_times_are_utc(self, warehouse: Warehouse) -> None:
        """Times come out aware and in UTC, from views and from queries."""
        warehouse.write(Rows(feedback=[feedback(1, at=3)]), START)
        assert one(warehouse, 1)["event_at"] == minutes(3)
        assert warehouse.sql("SELECT event_at FROM feedback").rows == [(minutes(3),)]
        (row,) = warehouse.rows("newest_feedback")
        assert row["event_at"].tzinfo is UTC

    def test_hourly(self, warehouse: Warehouse) -> None:
        """A mention counts for each of its tracks in its hour, one without a track under none."""
        words = [feedback(1, tracks=("acme", "other")), feedback(2, tracks=(), at=61)]
        warehouse.write(Rows(feedback=words), START)
        found = {(r["track"], r["hour"]): r["mentions"] for r in view(warehouse, "mentions_hourly")}
        assert found == {("acme", START): 1, ("other", START): 1, (None, minutes(60)): 1}

    def test_feed_filters(self, warehouse: Warehouse) -> None:
        """The feed gives the newest arrivals first and filters by what a person relabelled, too."""
        words = [
            feedback(1, links=[link(OFFICIAL)]),
            feedback(2, tracks=("other",)),
            feedback(3, intent="question"),
        ]
        warehouse.write(Rows(feedback=words, incidents=[incident()]), START)
        relabel = decision("d1", "relabel", "x:1", "intent=question")
        warehouse.write(Rows(decisions=[relabel]), START)

        def ids(**values: Any) -> list[str]:
            return [row["id"] for row in warehouse.rows("newest_feedback", **values)]

        assert ids() == ["x:3", "x:2", "x:1"]
        assert ids(limit=1) == ["x:3"]
        assert ids(track="other") == ["x:2"]
        assert ids(intent="question") == ["x:3", "x:1"]
        assert ids(linked=True) == ["x:1"]
        assert ids(linked=False) == ["x:3", "x:2"]
        (first,) = warehouse.rows("newest_feedback", linked=True)
        assert first["incident_title"] == "The shop is failing"
        assert ids(after=first["arrival"]) == ["x:3", "x:2"]

    def test_incident_page(self, warehouse: Warehouse) -> None:
        """The queries of the incident page agree with the views, after a merge too."""
        warehouse.write(
            Rows(
                incidents=[incident(PROPOSAL, status="proposed", opened=1), incident()],
                feedback=[
                    feedback(1, links=[link(PROPOSAL)], at=1),
                    feedback(2, links=[link(OFFICIAL)], at=2),
                    feedback(3, links=[link(OFFICIAL, 0.4, "suggested")], at=3),
                    feedback(4, at=4),
                ],
                decisions=[
                    decision("d1", "merge", PROPOSAL, OFFICIAL),
                    decision("d2", "link", "x:4", PROPOSAL),
                ],
            ),
            START,
        )
        (page,) = warehouse.rows("incident", id=OFFICIAL)
        row = listed(warehouse, OFFICIAL)
        for name in ("title", "status", "witnesses", "mentions", "lead_seconds"):
            assert page[name] == row[name]
        posts = warehouse.rows("incident_posts", id=OFFICIAL)
        assert [p["id"] for p in posts] == ["x:1", "x:2", "x:3", "x:4"]
        assert posts[0]["evidence"][0]["kind"] == "text"
        latest = warehouse.rows("incident_posts", id=OFFICIAL, newest=True, limit=2)
        assert [p["id"] for p in latest] == ["x:4", "x:3"]
        timeline = warehouse.rows("incident_timeline", id=OFFICIAL)
        assert [(t["minute"], t["mentions"]) for t in timeline] == [
            (minutes(1), 1),
            (minutes(2), 1),
            (minutes(4), 1),
        ]

    def test_mentions_for_incident(self, warehouse: Warehouse) -> None:
        """Late linking gets what is in the window or linked by an older record, in pages."""
        words = [feedback(n, at=n) for n in range(1, 5)]
        words.append(feedback(6, at=99, links=[link(OFFICIAL, version=1)]))
        warehouse.write(Rows(feedback=words), START)
        asked = {
            "incident": OFFICIAL,
            "incident_version": 2,
            "tracks": ["acme"],
            "from_at": minutes(2),
            "to_at": minutes(3),
        }
        first = warehouse.rows("mentions_for_incident", **asked, limit=2)
        assert [row["id"] for row in first] == ["x:2", "x:3"]
        rest = warehouse.rows("mentions_for_incident", **asked, limit=2, after=first[-1]["id"])
        assert [(row["id"], row["link_incident_version"]) for row in rest] == [("x:6", 1)]

    def test_snapshot_may_be_made_any_time(self, warehouse: Warehouse) -> None:
        """A snapshot changes nothing for whoever writes on."""
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        warehouse.snapshot()
        warehouse.write(Rows(feedback=[feedback(2)]), START)
        warehouse.snapshot()
        assert len(view(warehouse, "feedback")) == 2

    def test_unknown_query_or_value(self, warehouse: Warehouse) -> None:
        """A misspelt query or value is an error at once, not an empty answer."""
        with pytest.raises(ValueError, match="no query"):
            warehouse.rows("newst_feedback")
        with pytest.raises(ValueError, match="takes no value"):
            warehouse.rows("newest_feedback", sauce="x")
