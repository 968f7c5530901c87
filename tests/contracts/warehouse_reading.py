"""What every warehouse must answer: its views, the page's and the watch's queries, free SQL."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest

from pipeline.errors import Misuse
from pipeline.model import Coverage, Removal, Spend
from pipeline.ports import Row, Rows, Warehouse
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    decision,
    feedback,
    incident,
    link,
    listed,
    minutes,
    one,
    view,
)

Make = Callable[[], Warehouse]


class ReadingContract:
    """The half of the contract that is about answers. A subclass gives the fixture ``make``."""

    @pytest.fixture
    def warehouse(self, make: Make) -> Warehouse:
        return make()

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

    def test_what_is_kept_is_known(self, warehouse: Warehouse) -> None:
        """Live sources ask so whether a removal concerns anything here."""
        assert warehouse.rows("is_known", id="x:1") == []
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        for number, rows in (("x:1", 1), ("x:a1", 1), ("x:2", 0), ("x:a2", 0), ("' OR 1=1 --", 0)):
            assert len(warehouse.rows("is_known", id=number)) == rows

    def test_what_is_held_of_a_source_is_listed_page_by_page(self, warehouse: Warehouse) -> None:
        """Sources that are told of no deletes look at it again; what is erased is no more held."""
        warehouse.write(Rows(feedback=[feedback(n, at=n) for n in range(1, 6)]), START)
        gone = Removal(removal="x:2", kind="erased", at=minutes(9), scope="mention")
        warehouse.write(Rows(removals=[gone]), START)
        asked = {"source": "x", "since": minutes(1), "limit": 2}
        first = warehouse.rows("held_posts", **asked, after="x:")
        then = warehouse.rows("held_posts", **asked, after=first[-1]["id"])
        assert [row["id"] for row in [*first, *then]] == ["x:1", "x:3", "x:4", "x:5"]
        assert warehouse.rows("held_posts", **asked, after="x:5") == []
        late = asked | {"since": minutes(5)}
        assert [row["id"] for row in warehouse.rows("held_posts", **late, after="x:")] == ["x:5"]
        assert warehouse.rows("held_posts", **asked | {"source": "y"}, after="y:") == []
        shown = warehouse.rows("held_first", **asked, after="x:", shown=minutes(4))
        assert [row["id"] for row in shown] == ["x:4", "x:5"]

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
        assert ids(after=warehouse.rows("newest_feedback")[0]["arrival"]) == []

    def test_feed_filters_find_what_lies_behind_many(self, warehouse: Warehouse) -> None:
        """However many newer posts nearly pass: by links that count no more, or a word."""
        proposal = incident(PROPOSAL, status="proposed")
        few = [feedback(n, links=[link(OFFICIAL)]) for n in range(3)]
        warehouse.write(Rows(feedback=few, incidents=[incident(), proposal]), START)
        dismissed = [feedback(100 + n, links=[link(PROPOSAL)]) for n in range(30)]
        warehouse.write(Rows(feedback=dismissed), START)
        alone = [feedback(200 + n, intent="question") for n in range(30)]
        noise = [decision(f"d{n}", "relabel", f"x:{200 + n}", "noise=yes") for n in range(30)]
        gone = decision("gone", "dismiss", PROPOSAL)
        warehouse.write(Rows(feedback=alone, decisions=[gone, *noise]), START)
        storm = [feedback(300 + n, links=[link(OFFICIAL)]) for n in range(60)]
        warehouse.write(Rows(feedback=storm), START)

        def found(**values: Any) -> int:
            return len(warehouse.rows("newest_feedback", limit=5, **values))

        assert found(linked=False, intent="question") == 5
        assert found(linked=False) == 5
        assert found(linked=True) == 5
        assert found(intent="report") == 5
        assert len(warehouse.rows("newest_feedback", limit=90, linked=True)) == 63
        assert len(warehouse.rows("newest_feedback", limit=90, linked=False)) == 60

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

    def test_mentions_for_incidents(self, warehouse: Warehouse) -> None:
        """Late linking gets what is in the window or linked knowing less, with all links, paged."""
        other = "statuspage:2"
        words = [feedback(n, at=n) for n in range(1, 5)]
        words[2] = feedback(
            3, at=3, links=[link(OFFICIAL, version=2), link(other, 0.4, "suggested")]
        )
        words.append(feedback(6, at=99, links=[link(OFFICIAL, version=1), link(PROPOSAL)]))
        words.append(feedback(7, at=98, links=[link(OFFICIAL, version=2)]))
        warehouse.write(Rows(feedback=words), START)
        asked = {
            "incidents": [OFFICIAL, other],
            "versions": [2, 0],
            "tracks": ["acme"],
            "from_at": minutes(2),
            "to_at": minutes(3),
        }
        names = ("incidents", "states", "ps")

        def links(row: Row) -> set[tuple[object, ...]]:
            columns = (row[f"link_{name}"] or () for name in names)
            return set(zip(*columns, strict=True))

        first = warehouse.rows("mentions_for_incidents", **asked, limit=2)
        assert [row["id"] for row in first] == ["x:2", "x:3"]
        assert links(first[0]) == set()
        assert links(first[1]) == {
            (OFFICIAL, "linked", 0.9),
            (other, "suggested", 0.4),
        }
        last = {"after_at": first[-1]["event_at"], "after": first[-1]["id"]}
        rest = warehouse.rows("mentions_for_incidents", **asked, **last, limit=2)
        assert [row["id"] for row in rest] == ["x:6"]
        assert links(rest[0]) == {(OFFICIAL, "linked", 0.9), (PROPOSAL, "linked", 0.9)}
        everywhere = asked | {"tracks": [], "versions": [0, 0]}
        assert len(warehouse.rows("mentions_for_incidents", **everywhere)) == 2

    def test_texts_of(self, warehouse: Warehouse) -> None:
        """What people's links teach is read from texts, and what is removed teaches nothing."""
        gone = Removal(removal="x:2", kind="erased", at=minutes(9), scope="mention")
        posts = [feedback(n, at=n) for n in range(1, 4)]
        warehouse.write(Rows(feedback=posts, removals=[gone]), START)
        found = warehouse.rows("texts_of", ids=["x:1", "x:2", "x:9"])
        assert found == [{"id": "x:1", "text": posts[0].mention.text}]
        assert warehouse.rows("texts_of", ids=[]) == []

    def test_how_it_stands(self, warehouse: Warehouse) -> None:
        """An operator asks how much there is, how old it was, and what is open."""
        (empty,) = warehouse.rows("standing")
        assert (empty["mentions"], empty["written_at"], empty["incidents_open"]) == (0, None, 0)
        assert warehouse.rows("newest_ages")[0]["received_p99"] is None
        posts = [feedback(n, at=n, links=[link(OFFICIAL)] if n else []) for n in range(3)]
        words = [incident(), incident("statuspage:9", status="resolved")]
        words += [
            incident(PROPOSAL, status="proposed"),
            incident(f"{PROPOSAL}-2", status="proposed"),
        ]
        over = decision("d1", "dismiss", f"{PROPOSAL}-2")
        rows = Rows(feedback=posts, incidents=words, decisions=[over])
        warehouse.write(rows, minutes(10))
        (row,) = warehouse.rows("standing")
        assert (row["mentions"], row["incidents_open"], row["proposals_open"]) == (3, 1, 1)
        assert (row["written_at"], row["seen_at"]) == (minutes(10), minutes(2))
        assert row["bytes"] >= 0  # what only stands in a log of writes is not counted yet
        (ages,) = warehouse.rows("newest_ages")
        assert (ages["mentions"], ages["said_p50"], ages["said_max"]) == (3, 540, 600)
        assert ages["said_p50"] < ages["said_p99"] <= ages["said_max"]
        assert ages["received_p50"] is None
        seen = feedback(7, at=1)
        live = seen.mention.model_copy(update={"seen_at": minutes(9)})
        warehouse.write(Rows(feedback=[seen.model_copy(update={"mention": live})]), minutes(10))
        assert warehouse.rows("newest_ages")[0]["received_max"] == 60
        assert warehouse.rows("newest_ages", limit=1)[0]["mentions"] == 1
        assert warehouse.rows("newest_ages", since=minutes(10))[0]["mentions"] == 4
        assert warehouse.rows("newest_ages", since=minutes(11))[0]["mentions"] == 0
        relabelled = seen.model_copy(update={"mention": live, "model": "m2#1"})
        warehouse.write(Rows(feedback=[relabelled]), minutes(500))
        assert warehouse.rows("newest_ages")[0]["said_max"] == 600
        newest = {"source": "x", "event_at": minutes(2), "seen_at": minutes(9)}
        assert warehouse.rows("newest_by_source") == [newest]
        assert warehouse.rows("links_by_state") == [{"state": "linked", "links": 2}]

    def test_gaps_are_listed(self, warehouse: Warehouse) -> None:
        """From when to when a source was blind; what is over since long is not asked for."""

        def covered(start: float, end: float, cause: str | None) -> Coverage:
            is_gap = cause is not None
            return Coverage(
                source="s", from_at=minutes(start), to_at=minutes(end), is_gap=is_gap, cause=cause
            )

        words = [covered(0, 2, None), covered(2, 9, "look-back exceeded"), covered(9, 20, None)]
        warehouse.write(Rows(coverage=[*words, covered(20, 21, "away")]), START)
        gap = {"source": "s", "track": None, "from_at": minutes(2), "to_at": minutes(9)}
        newer = {"source": "s", "track": None, "from_at": minutes(20), "to_at": minutes(21)}
        gap["cause"], newer["cause"] = "look-back exceeded", "away"
        assert warehouse.rows("coverage_gaps") == [newer, gap]
        assert warehouse.rows("coverage_gaps", limit=1) == [newer]
        assert warehouse.rows("coverage_gaps", since=minutes(9)) == [newer]

    def test_an_incident_tells_what_was_read_for_it(self, warehouse: Warehouse) -> None:
        """From an hour before it began until its end or now, by source and track of its own."""

        def covered(start: float, end: float, *, source: str, **more: str | bool) -> Coverage:
            span = {"from_at": minutes(start), "to_at": minutes(end)}
            return Coverage.model_validate({"source": source} | span | more)

        gap: dict[str, Any] = {"is_gap": True, "cause": "disconnected"}
        words = [
            covered(-300, 30, source="a"),
            covered(30, 42, source="a", **gap),
            covered(35, 38, source="a", is_gap=True, cause="away"),
            covered(42, 300, source="a"),
            covered(-30, 20, source="b", track="acme"),
            covered(-30, 20, source="b", track="another"),
            covered(-600, -100, source="c"),
            covered(-90, -70, source="c", **gap),
            covered(-30 * 24 * 60, -8 * 24 * 60, source="left out long since"),
            covered(70, 90, source="taken in afterwards"),
        ]
        warehouse.write(Rows(incidents=[incident()], coverage=words), START)
        rows = warehouse.rows("incident_coverage", ids=[OFFICIAL], now=minutes(60))
        assert warehouse.rows("incident_coverage", ids=[PROPOSAL], now=minutes(60)) == []
        assert warehouse.rows("incident_coverage", ids=[], now=minutes(60)) == []
        assert {(row["from_at"], row["to_at"]) for row in rows} == {(minutes(-60), minutes(60))}
        names = ("source", "track", "told_from_at", "told_to_at", "seconds_told", "seconds_blind")
        assert [tuple(row[name] for name in names) for row in rows] == [
            ("a", None, minutes(-60), minutes(60), 7200, 720),
            ("b", "acme", minutes(-30), minutes(20), 3000, 0),
            ("c", None, None, minutes(-70), 0, 0),
        ]
        assert [row["causes"] for row in rows] == ["away, disconnected", None, None]
        told = {row["causes"] for row in warehouse.rows("export_completeness")}
        assert told == {"away, disconnected", "disconnected", None}

    def test_what_is_read_after_an_incident_is_over_is_not_asked_for(
        self, warehouse: Warehouse
    ) -> None:
        """Its end is its own, or when a person dismissed it, or its official incident's."""
        over = incident("groundswell:over", status="proposed")
        became = incident(PROPOSAL, status="proposed", official_id=OFFICIAL)
        ended = incident(status="resolved").model_copy(update={"resolved_at": minutes(30)})
        read = Coverage(source="a", from_at=minutes(-99), to_at=minutes(99))
        dismissed = decision("d", "dismiss", over.id, "", at=40)
        incidents = [over, became, ended]
        warehouse.write(
            Rows(incidents=incidents, coverage=[read], decisions=[dismissed]), minutes(40)
        )
        asked = [over.id, PROPOSAL, OFFICIAL]
        rows = warehouse.rows("incident_coverage", ids=asked, now=minutes(60))
        assert {row["incident_id"]: row["to_at"] for row in rows} == {
            over.id: minutes(40),
            PROPOSAL: minutes(30),
            OFFICIAL: minutes(30),
        }

    def test_what_was_read_is_the_same_in_a_list_and_alone(self, warehouse: Warehouse) -> None:
        """Whatever else is asked for: how long a track was read is told by all of its spans."""

        def covered(start: float, end: float, **more: str | bool) -> Coverage:
            span = {"source": "a", "from_at": minutes(start), "to_at": minutes(end)}
            return Coverage.model_validate(span | more)

        day = 24 * 60
        words = [
            covered(-30 * day, -9 * day, track="acme"),
            covered(-10 * day, -10, is_gap=True, cause="key refused"),
            covered(-30, 120, track="acme"),
            covered(-3 * day, -2 * day, track="other"),
        ]
        old, new = incident("statuspage:old"), incident("statuspage:new")
        past = {"started_at": minutes(-20 * day), "resolved_at": minutes(-19 * day)}
        old = old.model_copy(update=past)
        warehouse.write(Rows(incidents=[old, new], coverage=words), START)
        both = warehouse.rows("incident_coverage", ids=[new.id, old.id], now=minutes(120))
        assert [
            row
            for one in (new, old)
            for row in warehouse.rows("incident_coverage", ids=[one.id], now=minutes(120))
        ] == both
        names = ("incident_id", "track", "told_from_at", "seconds_told", "seconds_blind", "causes")
        assert [tuple(row[name] for name in names) for row in both] == [
            (new.id, None, minutes(-60), 50 * 60, 50 * 60, "key refused"),
            (new.id, "acme", minutes(-60), 180 * 60, 50 * 60, "key refused"),
            (old.id, "acme", minutes(-20 * day - 60), 25 * 60 * 60, 0, None),
        ]

    def test_what_a_source_has_cost_is_its_newest_word_on_each_day(
        self, warehouse: Warehouse
    ) -> None:
        """In any order; what was paid in advance and given back makes it less."""

        def spent(day: int, reads: int, at: float) -> Spend:
            when = START.replace(hour=0) + timedelta(days=day)
            return Spend(source="x", day=when, reads=reads, cost=reads / 2, at=minutes(at))

        words = [spent(0, 100, 1), spent(1, 8, 9), spent(0, 40, 5), spent(-9, 2, 0)]
        for batch in (words, words[2:3], words[:1]):
            warehouse.write(Rows(spend=batch), START)
        told = sorted((row["reads"], row["cost"]) for row in view(warehouse, "spend"))
        assert told == [(2, 1.0), (8, 4.0), (40, 20.0)]
        midnight = START.replace(hour=0)
        [now] = warehouse.rows("spend_now", day=midnight, month=midnight.replace(day=1))
        month = {"reads_month": 48, "cost_month": 24.0}
        day = {"reads_today": 48, "cost_today": 24.0}
        assert now == {"source": "x", **day, **month}
        tomorrow = midnight + timedelta(days=1)
        [later] = warehouse.rows("spend_now", day=tomorrow, month=midnight.replace(day=1))
        assert (later["reads_today"], later["reads_month"]) == (8, 48)

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
