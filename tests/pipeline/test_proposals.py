"""Several matters of one track: opened apart, merged when they are one, quiet when dismissed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import topics
from pipeline.decoding import read
from pipeline.model import Decision, Feedback, Incident
from tests.pipeline.test_watch import BEGIN, failure, quiet
from tests.pipeline.watching import World, decided, official, said


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def reports(
    first: int, begin: float, what: dict[str, str], count: int = 12, every: float = 1.0
) -> list[Feedback]:
    """Reports of people of their own, one every so many minutes."""
    return [said(begin + i * every, first + i, **what) for i in range(count)]


def newest(world: World) -> dict[str, Incident]:
    return {record.id: record for record in world.proposals()}


def merges(world: World) -> list[Decision]:
    return [read(Decision, v) for _, v in world.records(topics.DECISIONS) if v]


NETWORK = {"topic": "network", "place": "Leeds"}
LOGIN = {"topic": "login", "place": "Glasgow"}
SIDES = [("network", "Leeds"), ("login", "Glasgow"), ("payment", "Derby"), ("outage", "York")]


def test_a_second_matter_while_the_first_lasts(world: World) -> None:
    """Login trouble elsewhere, an hour later, is not swallowed by the failure that goes on."""
    first = reports(1_000, BEGIN, NETWORK, 120)
    second = reports(3_000, BEGIN + 70, LOGIN, 40, 0.5)
    world.go(BEGIN + 95, *quiet(), *first, *second)
    one, two = sorted(newest(world).values(), key=lambda p: p.started_at)
    assert (one.topic, one.regions) == ("network", ("Leeds",))
    assert (two.topic, two.regions) == ("login", ("Glasgow",))
    assert two.title == "Reports of login trouble around Nordwind: Glasgow"
    assert one.status == two.status == "proposed"


def test_one_failure_seen_from_many_sides_is_one_matter(world: World) -> None:
    """A failure of everything bursts in every topic and place at once: one proposal."""
    sides = [
        reports(1_000 * n, BEGIN + n, {"topic": topic, "place": place}, 20)
        for n, (topic, place) in enumerate(
            [("network", "Leeds"), ("login", "Glasgow"), ("payment", "Derby"), ("outage", "York")],
            1,
        )
    ]
    world.go(BEGIN + 30, *quiet(), *(post for side in sides for post in side))
    assert len(newest(world)) == 1


def test_a_part_of_a_busy_track(world: World) -> None:
    """What is lost in the whole shows in its part: one region of a track with much going on."""
    usual = [
        said(i * 0.5, 10_000 + i, topic="network", place=("London", "Bristol")[i % 2])
        for i in range(round(BEGIN / 0.5) + 120)
    ]
    lost = reports(50_000, BEGIN, {"topic": "login", "place": "Leeds"}, 12, 2.5)
    world.go(BEGIN + 32, *usual, *lost)
    (proposal,) = newest(world).values()
    assert (proposal.topic, proposal.regions) == ("login", ("Leeds",))


def test_proposals_that_become_one_matter_are_merged(world: World) -> None:
    """Two places, then everywhere: the younger goes into the older, by a word people can undo."""
    leeds = reports(1_000, BEGIN, NETWORK, 100)
    glasgow = reports(2_000, BEGIN + 50, {"topic": "network", "place": "Glasgow"}, 50)
    world.go(BEGIN + 75, *quiet(), *leeds, *glasgow)
    older, younger = sorted(newest(world).values(), key=lambda p: p.started_at)
    assert merges(world) == []
    everywhere = [
        said(BEGIN + 80 + i / 8, 5_000 + i, topic="network", place=("York", "Hull", "Derby")[i % 3])
        for i in range(150)
    ]
    world.go(BEGIN + 110, *everywhere)
    told = {merge.subject: (merge.verb, merge.value) for merge in merges(world)}
    assert told[younger.id] == ("merge", older.id)
    assert set(told) == set(newest(world)) - {older.id}
    table = world.warehouse.sql("SELECT incident_id, official_id, lead_seconds FROM incidents")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows[younger.id][0] == older.id
    assert rows[older.id] == (None, None)


def test_a_dismissed_matter_that_becomes_another_thing(world: World) -> None:
    """A person's no is about what they saw: another topic, later, is proposed."""
    world.go(BEGIN + 8, *quiet(), *failure(8, topic="network", place="Leeds"))
    (first,) = world.proposals()
    world.go(BEGIN + 10, decided("dismiss", first.id, BEGIN + 9))
    world.go(BEGIN + 120, *reports(4_000, BEGIN + 90, NETWORK, 20))
    assert len(newest(world)) == 1
    world.go(BEGIN + 240, *reports(5_000, BEGIN + 210, LOGIN, 20))
    assert {p.topic for p in newest(world).values()} == {"network", "login"}


def test_an_official_incident_takes_over_the_matter_that_it_names(world: World) -> None:
    """Of two proposals of a track the one that names what the official word names is taken."""
    first = reports(1_000, BEGIN, NETWORK, 120)
    second = reports(3_000, BEGIN + 70, LOGIN, 40, 0.5)
    word = official(opened=BEGIN + 95, title="Login fails", components=[], regions=["Glasgow"])
    world.go(BEGIN + 100, *quiet(), *first, *second, word)
    taken = {p.topic: p.official_id for p in newest(world).values()}
    assert taken == {"network": None, "login": "statuspage:1"}
