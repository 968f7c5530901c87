"""Late links: what an incident that opens or changes does to mentions from before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import topics
from pipeline.incidents import Book
from pipeline.late import OPEN_END, labels_of, mention_of, window
from pipeline.model import Feedback
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
    world.go(30, decided("dismiss", "statuspage:1", 1), *reports(3, first=12), official(opened=20))
    assert world.late() == []


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
        "mentions_for_incident",
        incident="statuspage:1",
        incident_version=1,
        tracks=["Nordwind"],
        from_at=at(0),
        to_at=at(0) + timedelta(hours=1),
        after="",
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
