"""The watch: which bursts become proposals, and what becomes of those."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import topics
from pipeline.brigades import FEW
from pipeline.errors import TryLater
from pipeline.model import Feedback, Incident, Word
from tests.pipeline.watching import NORDWIND, World, at, decided, official, said

BEGIN = 600  # the minute of the first report of the failure


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def quiet() -> list[Feedback]:
    """Ten ordinary hours: one report an hour, among other posts."""
    reports = [said(60 * hour, hour) for hour in range(10)]
    chatter = [said(15 * i + 3, 100 + i, intent="praise") for i in range(40)]
    return sorted([*reports, *chatter], key=lambda f: f.mention.event_at)


def failure(
    count: int = 12, every: float = 1.0, first: int = 1_000, **names: str
) -> list[Feedback]:
    """So many reports of different people, one every so many minutes."""
    names = names or {"topic": "messaging", "component": "Messages", "place": "Leeds"}
    return [said(BEGIN + i * every, first + i, **names) for i in range(count)]


def test_a_burst_opens_a_proposal(world: World) -> None:
    """It is named by labels and tracks, begins with the first report, and is opened once."""
    world.go(BEGIN + 8, *quiet(), *failure(8))
    (proposal,) = world.proposals()
    assert proposal.id == f"groundswell:Nordwind-{at(BEGIN):%Y%m%dT%H%M}"
    assert proposal.title == "Reports of messaging trouble around Nordwind: Messages, Leeds"
    assert proposal.status == "proposed"
    assert proposal.started_at == at(BEGIN)
    assert at(BEGIN + 4) <= proposal.opened_at <= at(BEGIN + 8)
    assert (proposal.tracks, proposal.regions) == (("Nordwind",), ("Leeds",))
    assert [c.name for c in proposal.components] == ["Messages"]


def test_titles_hold_no_post_text(world: World) -> None:
    """Whatever people write, the title is built from names we know."""
    hostile = [said(BEGIN + i, 900 + i, text="nordwind <script>x</script>") for i in range(9)]
    world.go(BEGIN + 9, *quiet(), *hostile)
    assert [p.title for p in world.proposals()] == ["Reports of trouble around Nordwind"]


def test_twelve_reports_in_an_hour(world: World) -> None:
    """12 reports in an hour where one is normal are proposed within 30 minutes of the first."""
    world.go(BEGIN + 31, *quiet(), *failure(7, every=5))
    (proposal,) = world.proposals()
    assert proposal.opened_at <= at(BEGIN + 30)


@pytest.mark.parametrize(("severity", "proposals"), [("blocked", 1), ("none", 0)])
def test_who_asks_whether_it_fails_counts_half(world: World, severity: str, proposals: int) -> None:
    """Many questions about an outage are a burst; other questions, however many, are none."""
    asked = [
        said(BEGIN + i / 2, 700 + i, intent="question", severity=severity, topic="messaging")
        for i in range(24)
    ]
    world.go(BEGIN + 12, *quiet(), *asked)
    found = {proposal.id: proposal.witnesses for proposal in world.proposals()}
    assert len(found) == proposals
    assert all(5 <= witnesses <= 19 for witnesses in found.values())


def test_the_budget_of_false_proposals_is_a_setting(tmp_path: Path) -> None:
    """Who allows fewer false alarms is told later of what is not so clear."""
    usual = [said(10 * i, i) for i in range(60)]
    opened = []
    for budget in (30, 0.01):
        folder = tmp_path / str(budget)
        folder.mkdir()
        world = World(folder, budget=budget)
        world.go(BEGIN + 45, *usual, *failure(40, every=1, topic="other"))
        opened.append(min(p.opened_at for p in world.proposals()))
        world.close()
    assert opened[0] < opened[1]


@pytest.mark.parametrize(
    "storm",
    [
        [said(BEGIN + i / 20, 2_000 + i, repeat="repost") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, repeat="copy") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, author="loud") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, intent="complaint") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, noise="yes") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, author=None, handle="nordwindhelp") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, repeat="repost", author=None) for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, repeat="near") for i in range(400)],
        [said(BEGIN + i / 20, 2_000 + i, text=f"{i} lost #LeaveThem") for i in range(400)],
    ],
    ids=[
        "reposts",
        "copies",
        "one author",
        "a closing product",
        "politics",
        "our own",
        "unknown",
        "variants of one text",
        "one hashtag",
    ],
)
def test_storms_that_are_no_burst(world: World, storm: list[Feedback]) -> None:
    """Volume without witnesses raises nothing."""
    world.go(BEGIN + 60, *quiet(), *storm)
    assert world.proposals() == []


def test_it_grows_rarely_and_fades(world: World) -> None:
    """A new version when the witnesses doubled, and an end after half an hour of quiet."""
    world.go(BEGIN + 200, *quiet(), *failure(40, every=0.5))
    first, *grown, last = world.proposals()
    assert len(grown) == 2  # 6 → 12 → 24, not yet 48
    assert {p.id for p in grown} == {first.id}
    assert [p.version for p in grown] == sorted(p.version for p in grown)
    assert (last.status, last.opened_at) == ("resolved", first.opened_at)
    assert last.resolved_at is not None
    assert at(BEGIN + 50) <= last.resolved_at <= at(BEGIN + 70)


def test_only_one_is_open_for_a_track(world: World) -> None:
    """As long as it is open no second one is made, after its end another matter may be."""
    world.go(BEGIN + 100, *quiet(), *failure(12), *failure(12, first=1_500))
    assert len({p.id for p in world.proposals()}) == 1
    again = [said(BEGIN + 300 + i, 3_000 + i) for i in range(10)]
    world.go(BEGIN + 320, *again)
    assert len({p.id for p in world.proposals()}) == 2


def test_an_open_official_incident_is_enough(world: World) -> None:
    """What the official word covers is not proposed again, also when it closes in the middle."""
    ended = official(
        opened=BEGIN - 20,
        status="resolved",
        history=[
            {"at": at(BEGIN - 20), "status": "investigating"},
            {"at": at(BEGIN + 5), "status": "resolved"},
        ],
        resolved_at=at(BEGIN + 5),
        at=at(BEGIN + 5),
    )
    world.go(BEGIN + 30, *quiet(), official(opened=BEGIN - 20), *failure(), ended)
    assert world.proposals() == []


def test_another_component_is_another_matter(world: World) -> None:
    """An official incident about the checkout does not cover reports about messages."""
    till = official(opened=BEGIN - 20, components=[{"name": "till"}])
    world.go(BEGIN + 30, *quiet(), till, *failure())
    assert len({p.id for p in world.proposals()}) == 1


@pytest.mark.parametrize(
    ("fields", "is_its"),
    [
        ({"title": "Delayed builds", "components": [{"name": "Runners"}]}, False),
        ({"title": "Trouble around some reports", "components": []}, False),
        ({"title": "Nordwind is down", "components": []}, False),
        ({"title": "Something is wrong", "components": [{"name": "chat"}]}, True),
        ({"title": "Something is wrong", "components": [], "regions": ["leeds"]}, True),
        ({"title": "Messaging delayed", "components": [{"name": "Runners"}]}, True),
    ],
)
def test_an_official_incident_without_tracks(
    world: World, fields: dict[str, Any], is_its: bool
) -> None:
    """It may be anybody's: it is the proposal's matter only if it names what the reports name."""
    world.go(BEGIN + 40, *quiet(), *failure(9), official(opened=BEGIN + 9, tracks=[], **fields))
    assert world.proposals()[-1].official_id == ("statuspage:1" if is_its else None)


@pytest.mark.parametrize(("title", "count"), [("Delayed builds", 1), ("Messaging delayed", 0)])
def test_an_open_incident_without_tracks_hides_only_its_matter(
    world: World, title: str, count: int
) -> None:
    """Whatever else is wrong in the world, reports about something else are proposed."""
    open_ = official(opened=BEGIN - 20, tracks=[], title=title, components=[])
    world.go(BEGIN + 8, *quiet(), open_, *failure(8))
    assert len(world.proposals()) == count


def test_an_official_incident_takes_it_over(world: World) -> None:
    """The proposal ends with the official opening and names it; the lead is in the warehouse."""
    world.go(BEGIN + 40, *quiet(), *failure(9), official(opened=BEGIN + 9))
    last = world.proposals()[-1]
    assert last.official_id == "statuspage:1"
    assert (last.status, last.resolved_at) == ("resolved", at(BEGIN + 9))
    lead = (at(BEGIN + 9) - last.opened_at).total_seconds()
    assert lead > 0
    table = world.warehouse.sql("SELECT incident_id, official_id, lead_seconds FROM incidents")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows[last.id] == ("statuspage:1", lead)
    assert rows["statuspage:1"][1] == lead


def test_a_late_official_incident_takes_over_what_has_faded(world: World) -> None:
    """An official word that comes an hour after the quiet is still about that proposal."""
    world.go(BEGIN + 100, *quiet(), *failure(9))
    assert world.proposals()[-1].status == "resolved"
    end = world.proposals()[-1].resolved_at
    world.go(BEGIN + 130, official(opened=BEGIN + 120))
    last = world.proposals()[-1]
    assert (last.official_id, last.resolved_at) == ("statuspage:1", end)


def test_a_dismissed_matter_stays_quiet(world: World) -> None:
    """Nothing is proposed on the track for six hours after a person's no, then again."""
    world.go(BEGIN + 8, *quiet(), *failure(8))
    (proposal,) = world.proposals()
    world.go(BEGIN + 10, decided("dismiss", proposal.id, BEGIN + 9))
    world.go(BEGIN + 250, *(said(BEGIN + 200 + i, 4_000 + i) for i in range(20)))
    assert len(world.proposals()) == 1
    world.go(BEGIN + 650, *(said(BEGIN + 600 + i, 5_000 + i) for i in range(20)))
    assert len({p.id for p in world.proposals()}) == 2


def test_without_tracks_all_is_one_matter(tmp_path: Path) -> None:
    """A replay of a file without tracks is watched as a whole."""
    world = World(tmp_path, tracks=())
    posts = [*quiet(), *failure(9)]
    bare = [
        f.model_copy(update={"mention": f.mention.model_copy(update={"tracks": ()})}) for f in posts
    ]
    world.go(BEGIN + 9, *bare)
    assert [(p.tracks, p.title) for p in world.proposals()] == [
        ((), "Reports of messaging trouble: Messages, Leeds")
    ]
    world.close()


def test_without_tracks_an_official_incident_is_enough(tmp_path: Path) -> None:
    """Where nothing names tracks, all that is watched is one matter."""
    world = World(tmp_path, tracks=())
    bare = [
        f.model_copy(update={"mention": f.mention.model_copy(update={"tracks": ()})})
        for f in [*quiet(), *failure(9)]
    ]
    known = official(opened=BEGIN + 9, tracks=[], title="Something is wrong", components=[])
    world.go(BEGIN + 9, *bare, known)
    assert world.proposals()[-1].official_id == "statuspage:1"
    world.close()


def test_unreadable_records_are_passed_over(world: World) -> None:
    """What is no word changes nothing; the store sets it aside."""
    producer = world.broker.producer()
    for topic in (topics.FEEDBACK, topics.INCIDENTS, topics.DECISIONS):
        producer.send(topic, "k", b"\xff{")
        producer.send(topic, "k", b"[1]")
        producer.send(topic, "k", b'{"mention": 3, "removal": 1}')
    producer.flush()
    world.go(BEGIN + 8, *quiet(), *failure(8))
    assert len(world.proposals()) == 1


def test_live_it_does_not_propose_what_is_over(tmp_path: Path) -> None:
    """After a standstill an old burst is no news: the lead must not be embellished."""
    world = World(tmp_path, settle=30, tracks=(NORDWIND,))
    world.go(0)
    world.go(BEGIN + 300, *quiet(), *failure(12))
    assert world.proposals() == []
    world.close()


def everything() -> list[Word]:
    """A day with a failure, its official incident, a dismissed proposal and a second failure."""
    second = [said(BEGIN + 400 + i, 6_000 + i, component="Checkout") for i in range(12)]
    return [*quiet(), *failure(20), official(opened=BEGIN + 12), *second]


def moment(word: Word) -> float:
    if isinstance(word, Feedback):
        return (word.mention.event_at - at(0)).total_seconds() / 60
    assert isinstance(word, Incident)
    return (word.at - at(0)).total_seconds() / 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Incident]:
    """The proposals of that day when all of it comes at once."""
    world = World(tmp_path_factory.mktemp("undisturbed"))
    world.go(BEGIN + 500, *everything())
    found = world.proposals()
    world.close()
    return found


def witnesses(world: World) -> int:
    """How many people report trouble, as the warehouse counts them."""
    found = world.warehouse.sql("SELECT count(DISTINCT witness) FROM feedback WHERE is_report")
    count: int = found.rows[0][0]
    return count


def test_what_the_watch_sets_aside_the_warehouse_does_not_count(world: World) -> None:
    """One rule for both: a brigade's posts are kept and marked, and witness nothing anywhere."""
    variants = [said(BEGIN + i / 20, 2_000 + i, repeat="near") for i in range(40)]
    tagged = [said(BEGIN + 90 + i / 20, 3_000 + i, text=f"{i} #LeaveThem") for i in range(40)]
    world.go(BEGIN + 100, *variants, *tagged)
    assert witnesses(world) == FEW + FEW
    rows = world.warehouse.sql("SELECT campaign, count(*) FROM feedback GROUP BY 1 ORDER BY 1").rows
    assert rows == [("hashtag", 40 - FEW), ("variants", 40 - FEW), (None, 2 * FEW)]
    world.restart()
    world.go(BEGIN + 101, said(BEGIN + 100, 4_000))
    assert witnesses(world) == FEW + FEW + 1


def test_a_brigade_is_told_of_after_a_crash(world: World) -> None:
    """A watch that dies before its words are durable says them when it is back."""
    world.send(*(said(BEGIN + i / 20, 2_000 + i, repeat="near") for i in range(40)))
    world.clock.set(at(BEGIN + 10))
    world.watch._producer.flush = _fail  # type: ignore[method-assign]
    with pytest.raises(TryLater):
        _work(world)
    world.restart()
    world.go(BEGIN + 11)
    assert witnesses(world) == FEW


def test_an_edit_is_weighed_anew(world: World) -> None:
    """Who takes the words of a campaign back and says what they saw is a witness."""
    variants = [said(BEGIN + i / 20, 2_000 + i, repeat="near") for i in range(9)]
    world.go(BEGIN + 1, *variants)
    assert witnesses(world) == FEW
    edited = said(BEGIN + 8 / 20, 2_008)
    mention = edited.mention.model_copy(update={"version": 9})
    world.go(BEGIN + 2, edited.model_copy(update={"mention": mention}))
    assert witnesses(world) == FEW + 1


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.integers(1, 80), max_size=6),
    restarts=st.lists(st.booleans(), min_size=7, max_size=7),
)
def test_batches_and_restarts_do_not_matter(
    cuts: list[int],
    restarts: list[bool],
    undisturbed: list[Incident],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Cut into any batches, with a restart after any of them: the same ids and versions."""
    words = sorted(everything(), key=moment)
    world = World(tmp_path_factory.mktemp("cut"))
    bounds = sorted({min(sum(cuts[: i + 1]), len(words)) for i in range(len(cuts))} | {len(words)})
    start = 0
    for bound, restart in zip(bounds, restarts, strict=False):
        batch = words[start:bound]
        if batch:
            world.go(max(map(moment, batch)), *batch)
        start = bound
        if restart:
            world.restart()
    world.go(BEGIN + 500)
    assert newest(world.proposals()) == newest(undisturbed)
    world.close()


def test_a_restart_before_anything_is_sent(world: World, undisturbed: list[Incident]) -> None:
    """A watch that dies with its proposals unsent makes the same ones when it is back."""
    world.send(*everything())
    world.clock.set(at(BEGIN + 500))
    producer = world.watch._producer
    flush, producer.flush = producer.flush, _fail  # type: ignore[method-assign]
    with pytest.raises(TryLater):
        _work(world)
    producer.flush = flush  # type: ignore[method-assign]
    world.restart()
    world.go(BEGIN + 500)
    assert newest(world.proposals()) == newest(undisturbed)


def test_after_try_later_nothing_is_lost(world: World, undisturbed: list[Incident]) -> None:
    """A broker that is away for one flush costs nothing."""
    world.send(*everything())
    world.clock.set(at(BEGIN + 500))
    producer = world.watch._producer
    producer.flush = _fail  # type: ignore[method-assign]
    with pytest.raises(TryLater):
        _work(world)
    world.go(BEGIN + 500)
    assert newest(world.proposals()) == newest(undisturbed)


def _work(world: World) -> None:
    while world.store.turn(0) + world.watch.turn(0):
        pass


def _fail() -> None:
    raise TryLater("the broker is away")


def newest(records: list[Incident]) -> dict[str, bytes]:
    """The last record of each proposal."""
    held: dict[str, Incident] = {}
    for record in records:
        if record.id not in held or held[record.id].version <= record.version:
            held[record.id] = record
    return {key: record.to_json() for key, record in sorted(held.items())}
