"""Late links: what an incident that opens or changes does to mentions from before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import topics
from pipeline.incidents import Book
from pipeline.late import (
    OPEN_END,
    Scored,
    Span,
    groups,
    labels_of,
    mention_of,
    since,
    window,
)
from pipeline.model import Feedback, Incident, Link
from pipeline.ports import Row
from pipeline.steps import text
from pipeline.steps.candidates import LOOK_BACK
from pipeline.steps.links import Linker
from tests.pipeline.watching import World, at, decided, official, said


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def reports(count: int, first: int = 0, every: float = 1.0) -> list[Feedback]:
    return [said(first + i * every, first + i, component="Messages") for i in range(count)]


def links(world: World) -> dict[str, tuple[str, str, int]]:
    """(state, by, incident version) of every link the warehouse shows, by mention."""
    table = world.warehouse.sql(
        "SELECT l.mention_id, l.state, l.made_by, l.incident_version FROM fct_link l"
    )
    return {str(row[0]): (str(row[1]), str(row[2]), int(row[3])) for row in table.rows}


def test_an_opening_links_what_came_before(world: World) -> None:
    """Reports from before the official opening are linked late, the others automatically."""
    incident = official(opened=20)
    world.go(30, *reports(3, first=12), *reports(2, first=21), incident)
    found = links(world)
    assert {found[f"x:{n}"][:2] for n in (12, 13, 14)} == {("linked", "late")}
    assert {found[f"x:{n}"][:2] for n in (21, 22)} == {("linked", "auto")}


def test_the_look_back_is_bounded(world: World) -> None:
    """What was said long before the start is not about it."""
    world.go(200, *reports(1, first=0), *reports(1, first=190), official(opened=195))
    assert set(links(world)) == {"x:190"}


def test_the_answer_is_the_linkers(world: World) -> None:
    """Read back from the warehouse, a mention gets the link that the worker would give it."""
    posts = [
        *reports(4, first=1),
        said(6, 6, intent="praise", text="nordwind made my day"),
        said(7, 7, component="Checkout", text="nordwind till eats my card"),
        said(8, 8, intent="question", text="is nordwind chat down?"),
        said(9, 9, text="ok\u200bnordwind \U0001f621 https://a.example &amp; chat", place="Leeds"),
    ]
    incident = official(opened=10)
    world.go(20, *posts, incident)
    book = Book()
    book.put(incident)
    mentions = [post.mention for post in posts]
    direct = Linker(book).link(mentions, text.prepare(mentions), [post.labels for post in posts])
    late = {one.mention: one.link for one in world.late()}
    assert late == {m.id: own[0] for m, own in zip(mentions, direct, strict=True) if own}
    assert len(late) >= 4


def test_a_change_is_scored_again(world: World) -> None:
    """A new record refreshes its links and takes back those it no longer supports."""
    world.go(30, *reports(3, first=12), official(opened=20))
    assert {state for state, _, _ in links(world).values()} == {"linked"}
    till = official(
        opened=20, at=at(40), title="Till does not open", components=[{"name": "Checkout"}]
    )
    world.go(41, till)
    found = links(world)
    assert {version for _, _, version in found.values()} == {till.version}
    assert {state for state, _, _ in found.values()} == {"unlinked"}
    assert world.warehouse.sql("SELECT * FROM incident_feedback").rows == []


def test_nothing_new_is_not_said_again(world: World) -> None:
    """The same record a second time, or a restart, brings no link twice."""
    world.go(30, *reports(5, first=12), official(opened=20))
    before = len(world.records(topics.LINKS))
    world.go(31, official(opened=20))
    world.restart()
    world.go(32, official(opened=20))
    assert len(world.records(topics.LINKS)) == before == 5


def test_equal_answers_are_not_written_again(world: World) -> None:
    """A new record that changes no answer brings no new rows: an incident has many records."""
    world.go(30, *reports(5, first=12), official(opened=20))
    world.go(41, official(opened=20, at=at(40), impact="major"))
    assert len(world.late()) == 5


def test_a_persons_word_is_not_touched(world: World) -> None:
    """An unlink by a person stands, whatever is found later."""
    world.go(30, *reports(2, first=12), official(opened=20))
    world.go(31, decided("unlink", "x:12", 31, "statuspage:1"))
    world.go(41, official(opened=20, at=at(40)))
    shown = world.warehouse.sql("SELECT id, link_state FROM incident_feedback ORDER BY id").rows
    assert [tuple(row) for row in shown] == [("x:13", "linked")]


def test_a_proposal_gets_its_reports(world: World) -> None:
    """What made the burst is linked to the proposal that it opened."""
    world.go(700, *(said(600 + i, 600 + i, component="Messages") for i in range(9)), said(0, 0))
    (proposal, *_) = world.proposals()
    assert {one.link.incident for one in world.late()} == {proposal.id}
    assert set(links(world)) == {f"x:{600 + i}" for i in range(9)}


def test_dismissed_incidents_get_no_links(world: World) -> None:
    """After a person's no nothing more is linked."""
    ours = official(opened=20, id="groundswell:Nordwind-20260302T0900", status="proposed")
    world.go(30, decided("dismiss", ours.id, 1), *reports(3, first=12), ours)
    assert world.late() == []


def test_an_accepted_incident_gets_what_it_missed(world: World) -> None:
    """Its record is as it was, but while it was dismissed it took no posts."""
    ours = official(opened=20, id="groundswell:Nordwind-20260302T0900", status="proposed")
    world.go(30, *reports(2, first=12), ours)
    assert len(world.late()) == 2
    world.go(32, decided("dismiss", ours.id, 31))
    world.go(34, *reports(2, first=32))
    assert len(world.late()) == 2
    world.go(36, decided("accept", ours.id, 35))
    assert set(links(world)) == {"x:12", "x:13", "x:32", "x:33"}


def test_pages_of_any_size_give_the_same(tmp_path: Path) -> None:
    """Mentions are read page by page; where the pages end does not matter."""
    found = []
    for size in (1, 3, 2_000):
        folder = tmp_path / str(size)
        folder.mkdir()
        world = World(folder)
        world.watch._late._page = size
        world.go(30, *reports(10, first=12), official(opened=20))
        found.append(sorted(one.to_json() for one in world.late()))
        world.close()
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 10


def test_live_rows_on_their_way_are_found(tmp_path: Path) -> None:
    """A mention that reaches the warehouse after its incident is linked when all has settled."""
    world = World(tmp_path, settle=30)
    world.send(official(opened=20))
    world.clock.set(at(21))
    while world.watch.turn(0):
        pass
    world.send(*reports(1, first=15))
    while world.store.turn(0):
        pass
    while world.watch.turn(0):
        pass
    assert world.late() == []
    world.go(21.6)
    assert set(links(world)) == {"x:15"}
    world.close()


def test_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """However long the store stands still, what it brings then is linked; also after a restart."""
    world = World(tmp_path, settle=30)
    world.go(20, official(opened=20))
    world.send(*reports(2, first=12))
    for minute in (21, 22, 200):
        if minute == 22:
            world.restart()
        world.clock.set(at(minute))
        while world.watch.turn(0):
            pass
    assert world.late() == []
    world.go(200.5)
    world.go(201)
    assert set(links(world)) == {"x:12", "x:13"}
    world.close()


def test_what_has_settled_is_not_asked_for_again(tmp_path: Path) -> None:
    """Once all is in the warehouse an incident costs nothing more, also not at the next start."""
    world = World(tmp_path, settle=30)
    over: dict[str, Any] = {"status": "resolved", "resolved_at": at(21)}
    world.go(20, *reports(2, first=12), official(opened=20, **over))
    world.go(21)
    world.go(60)
    world.restart()
    asked = asked_of(world)
    world.go(70)
    world.go(71)
    assert asked == []
    assert set(links(world)) == {"x:12", "x:13"}
    world.close()


def asked_of(world: World) -> list[dict[str, Any]]:
    """Collects what the warehouse is asked for from now on."""
    found: list[dict[str, Any]] = []
    rows = world.warehouse.rows

    def noted(query: str, **values: Any) -> list[Row]:
        if query == "mentions_for_incidents":
            found.append(values)
        return rows(query, **values)

    world.warehouse.rows = noted  # type: ignore[method-assign]
    return found


def test_incidents_are_asked_for_together(world: World) -> None:
    """One question serves all that changed at once, and each gets its own links."""
    asked = asked_of(world)
    many = [official(n, opened=20 + n) for n in range(1, 4)]
    world.go(30, *reports(3, first=12), *many)
    assert [len(values["incidents"]) for values in asked] == [3]
    assert len(world.late()) == 3 * 3


def test_a_rival_that_opens_takes_the_certainty_away(world: World) -> None:
    """What fits two incidents is certain of neither, whichever was known first."""
    world.go(30, *reports(3, first=12), official(1, opened=20))
    assert {state for state, _, _ in links(world).values()} == {"linked"}
    world.go(32, official(2, opened=31))
    shown = world.warehouse.sql("SELECT incident_id, link_state FROM incident_feedback").rows
    assert sorted(tuple(row) for row in shown) == [
        *[("statuspage:1", "suggested")] * 3,
        *[("statuspage:2", "suggested")] * 3,
    ]
    world.go(34, decided("dismiss", "statuspage:2", 33))
    shown = world.warehouse.sql("SELECT incident_id, link_state FROM incident_feedback").rows
    assert [tuple(row) for row in shown] == [("statuspage:1", "linked")] * 3


def test_what_changes_no_link_is_not_asked_for(world: World) -> None:
    """A replay compares a record only where it differs from the one before."""
    world.go(30, *reports(3, first=12), official(opened=20))
    asked = asked_of(world)
    world.go(41, official(opened=20, at=at(40), impact="major"))
    assert asked == []
    history = [{"at": at(20), "status": "investigating"}, {"at": at(45), "status": "resolved"}]
    ended: dict[str, Any] = {
        "status": "resolved",
        "resolved_at": at(45),
        "at": at(45),
        "history": history,
    }
    auto = Link(incident="statuspage:1", p=0.9, state="linked", incident_version=1)
    later = [post.model_copy(update={"links": (auto,)}) for post in reports(2, first=44)]
    world.go(46, *later)
    world.go(50, official(opened=20, **ended))
    assert [values["from_at"] for values in asked] == [at(45)]
    states = {mention: state for mention, (state, _, _) in links(world).items()}
    assert states == {
        "x:12": "linked",
        "x:13": "linked",
        "x:14": "linked",
        "x:44": "linked",
        "x:45": "unlinked",
    }


def test_a_restart_compares_everything(world: World) -> None:
    """What the last process had done the next does not know."""
    world.go(30, *reports(3, first=12), official(opened=20))
    world.restart()
    asked = asked_of(world)
    world.go(41, official(opened=20, at=at(40), impact="major"))
    assert len(asked) == 1
    assert len(world.late()) == 3


@given(
    starts=st.lists(
        st.tuples(st.integers(0, 500), st.integers(1, 200), st.booleans()), max_size=12
    ),
    most=st.integers(1, 5),
)
def test_groups_hold_each_incident_once(starts: list[tuple[int, int, bool]], most: int) -> None:
    """No more than so many, none without overlap, tracked ones apart from those without tracks."""
    spans = [
        Span(official(n, opened=0, tracks=["Nordwind"] * on), at(low), at(low + length), True)
        for n, (low, length, on) in enumerate(starts)
    ]
    found = list(groups(spans, most))
    ids = [incident_id for group in found for incident_id in group.spans]
    assert sorted(ids) == sorted(span.incident.id for span in spans)
    for group in found:
        own = list(group.spans.values())
        assert len(own) <= most
        assert len({bool(span.incident.tracks) for span in own}) == 1
        assert group.tracks() == (["Nordwind"] if own[0].incident.tracks else [])
        for number, span in enumerate(own[1:], 1):
            assert any(span.from_at <= before.to_at for before in own[:number])


moments = st.integers(-70, 70)
histories = st.lists(
    st.tuples(st.integers(1, 70), st.sampled_from(["investigating", "resolved", "identified"])),
    max_size=4,
    unique_by=lambda step: step[0],
)


@settings(deadline=None)
@given(one=histories, other=histories, ended=st.one_of(st.none(), moments), said_at=moments)
def test_what_is_left_out_has_the_same_answer(
    one: list[tuple[int, str]], other: list[tuple[int, str]], ended: int | None, said_at: int
) -> None:
    """A mention outside the span that ``since`` names has the links it had by the record before."""
    before, after = _told(one, None, 1), _told(other, ended, 2)
    post = said(said_at, 1, component="Messages")
    mentions = [post.mention]

    def answer(record: Incident) -> list[tuple[object, ...]]:
        book = Book()
        book.put(record)
        found = Linker(book).score_many(mentions, text.prepare(mentions), [post.labels])[0]
        return [(match.p, match.state, match.link().evidence, match.link().by) for match in found]

    old, new = answer(before), answer(after)
    span = since(Scored.of(before), after)
    assert span is None or not span.whole
    if span is None or not span.from_at <= post.mention.event_at <= span.to_at:
        assert old == new


def _told(steps: list[tuple[int, str]], ended: int | None, version: int) -> Incident:
    """A record with that history, begun at minute 0."""
    told = [(0, "investigating"), *sorted(steps)]
    history = [{"at": at(minute), "status": status} for minute, status in told]
    return official(
        opened=0,
        history=history,
        status=history[-1]["status"],
        resolved_at=None if ended is None else at(ended),
        at=at(100),
        version=version,
    )


def test_window_of_an_incident() -> None:
    """From the look-back to the end, which is the last one when it was reopened."""
    incident = official(opened=20)
    assert window(incident) == (at(20) - LOOK_BACK, OPEN_END)
    steps = [(20, "investigating"), (30, "resolved"), (50, "investigating"), (60, "resolved")]
    ended = official(
        opened=20,
        status="resolved",
        history=[{"at": at(minute), "status": status} for minute, status in steps],
        at=at(60),
    )
    assert window(ended) == (at(20) - LOOK_BACK, at(60))
    dawn = datetime(1, 1, 1, tzinfo=UTC)
    assert window(official(opened=20, started_at=dawn))[0] == dawn


def test_a_row_becomes_the_mention_it_was(world: World) -> None:
    """Everything the linker looks at survives the warehouse."""
    post = said(1, 1, text="nordwind chat is out \U0001f621", place="Leeds", topic="messaging")
    world.go(2, post)
    (row,) = world.warehouse.rows(
        "mentions_for_incidents",
        incidents=["statuspage:1"],
        versions=[1],
        tracks=["Nordwind"],
        from_at=at(0),
        to_at=at(0) + timedelta(hours=1),
        limit=10,
    )
    back = mention_of(row)
    wanted = post.mention
    assert (back.id, back.text, back.event_at, back.tracks, back.kind, back.version) == (
        wanted.id,
        wanted.text,
        wanted.event_at,
        wanted.tracks,
        wanted.kind,
        wanted.version,
    )
    names = {head: label.name for head, label in labels_of(row).items()}
    assert names == {head: label.name for head, label in post.labels.items()}
