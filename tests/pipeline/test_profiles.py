"""What people's links and unlinks teach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import topics
from pipeline.decoding import read
from pipeline.model import Profile, Removal
from pipeline.profiles import lesson
from pipeline.steps.likeness import NO_LESSON
from tests.pipeline.watching import World, at, decided, official, said

#: What happens has a name that the incident does not know.
TEXTS = (
    "nordwind velocipede vouchers are all void",
    "my velocipede voucher is void says nordwind",
    "nordwind voids velocipede vouchers, great",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def states(world: World) -> dict[str, str]:
    rows = world.warehouse.sql("SELECT id, link_state FROM incident_feedback").rows
    return {str(row[0]): str(row[1]) for row in rows}


def profiles(world: World) -> list[Profile]:
    return [read(Profile, value) for _, value in world.records(topics.PROFILES) if value]


def test_a_lesson_has_what_confirmed_posts_share() -> None:
    """Rejected posts take away; nothing teaches nothing."""
    likes, mixed = lesson(TEXTS), lesson(TEXTS, ["velocipede race results"])
    assert likes.columns.size > 0
    assert (likes.weights > 0).all()
    assert min(mixed.weights) < 0
    assert lesson([]) is NO_LESSON


def test_what_people_link_teaches(world: World) -> None:
    """After a few confirmed posts a like one is linked, also one from before."""
    posts = [said(21 + n, n, text=text, intent="complaint") for n, text in enumerate(TEXTS)]
    like = said(25, 9, text="are velocipede vouchers void for all of you?", intent="question")
    other = said(26, 10, text="nordwind has lovely new uniforms", intent="praise")
    world.go(30, official(opened=20), *posts, like, other)
    assert states(world).get("x:9") != "linked"
    world.go(31, *(decided("link", f"x:{n}", 31, "statuspage:1") for n in range(3)))
    assert states(world)["x:9"] == "linked"
    assert "x:10" not in states(world)
    (*_, newest) = profiles(world)
    assert newest.incident == "statuspage:1"
    assert b"voucher" not in newest.to_json()


def test_an_unlink_teaches_too(world: World) -> None:
    """Posts like one that was rejected are no longer sure."""
    posts = [said(21 + n, n, text=TEXTS[n], component="Messages") for n in range(3)]
    world.go(30, official(opened=20), *posts)
    assert set(states(world).values()) == {"linked"}
    world.go(31, *(decided("unlink", f"x:{n}", 31, "statuspage:1") for n in range(2)))
    assert states(world) == {"x:2": "suggested"}


def test_a_decision_may_come_before_its_mention(world: World) -> None:
    """It teaches once the mention is there."""
    world.go(30, official(opened=20), decided("link", "x:0", 21, "statuspage:1"))
    assert profiles(world) == []
    world.go(32, said(22, 0, text=TEXTS[0], intent="complaint"))
    assert [one.version for one in profiles(world)] == [1]


def test_what_is_erased_teaches_no_longer(world: World) -> None:
    """The profile is made anew without it."""
    world.go(30, official(opened=20), said(22, 0, text=TEXTS[0], intent="complaint"))
    world.go(31, decided("link", "x:0", 31, "statuspage:1"))
    assert profiles(world)[-1].columns
    world.go(33, Removal(removal="x:0", kind="erased", at=at(32), scope="mention"))
    assert profiles(world)[-1].columns == ()


def test_a_merge_moves_lessons(world: World) -> None:
    """What was taught about one is known of the other."""
    ours = official(opened=20, id="groundswell:Nordwind-20260302T0900", status="proposed")
    world.go(30, ours, official(opened=25), said(22, 0, text=TEXTS[0], intent="complaint"))
    world.go(31, decided("link", "x:0", 31, ours.id))
    world.go(33, decided("merge", ours.id, 32, "statuspage:1"))
    assert profiles(world)[-1].incident == "statuspage:1"
    assert profiles(world)[-1].columns


def test_a_restart_knows_the_lessons(world: World) -> None:
    """They stand on their topic; nothing is said twice."""
    world.go(30, official(opened=20), said(22, 0, text=TEXTS[0], intent="complaint"))
    world.go(31, decided("link", "x:0", 31, "statuspage:1"))
    before = len(world.records(topics.PROFILES))
    world.restart()
    world.go(33, said(32, 5))
    assert len(world.records(topics.PROFILES)) == before
