"""What became of X's posts: look-ups and compliance jobs, what they find and what they cost."""

from datetime import timedelta
from typing import Any

import pytest

from pipeline.clock import ManualClock
from pipeline.model import Removal
from tests.collectors.x.stage import look, source
from tests.contracts.listening import START, Listener, mentions
from tests.servers import x
from tests.servers.platform import Asked, Fault


def held_of(platform: x.X) -> Any:
    """What a warehouse says it holds: everything that was ever there."""

    def held(_platform: str, _since: Any, after: str, most: int) -> list[str]:
        return sorted(number for number in platform.posts if number > after)[:most]

    return held


def test_what_is_not_found_twice_is_erased_and_what_is_out_of_sight_hidden(
    platform: x.X, clock: ManualClock
) -> None:
    """A private or suspended account may come back; errors about other posts are no removals."""
    gone, private, here = (platform.post(n, START, f"Acme post {n}")["id"] for n in (1, 2, 3))
    held = held_of(platform)
    listener = look(platform, clock, held=held)
    platform.remove(gone)
    platform.remove(private, "not-authorized-for-resource")
    clock.set(clock.now() + timedelta(hours=24))
    listener.for_(timedelta(minutes=5), clock)
    del platform.gone[private]
    clock.set(clock.now() + timedelta(hours=24))
    listener.for_(timedelta(minutes=5), clock)
    removals = [(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)]
    assert removals[:2] == [(f"x:{gone}", "hidden"), (f"x:{private}", "hidden")]
    assert set(removals[2:]) == {(f"x:{gone}", "erased"), (f"x:{private}", "shown")}
    assert here not in str(removals)


def test_an_answer_that_finds_nothing_erases_nothing(platform: x.X, clock: ManualClock) -> None:
    """X may have a bad hour; all of it is shown again after it."""
    ids = [platform.post(n, START, f"Acme post {n}")["id"] for n in (1, 2, 3)]
    listener = look(platform, clock, held=held_of(platform))
    for number in ids:
        platform.remove(number)
    clock.set(clock.now() + timedelta(hours=24))
    listener.for_(timedelta(minutes=5), clock)
    platform.gone.clear()
    clock.set(clock.now() + timedelta(hours=24))
    listener.for_(timedelta(minutes=5), clock)
    kinds = [v.kind for v in listener.came if isinstance(v, Removal)]
    assert kinds == ["hidden"] * 3 + ["shown"] * 3


@pytest.mark.parametrize("status", [400, 500])
def test_a_post_whose_look_up_always_fails_holds_up_no_other(
    platform: x.X, clock: ManualClock, status: int
) -> None:
    """It is put behind the others, which are asked without it."""
    ids = [platform.post(n, START, f"Acme post {n}")["id"] for n in (1, 2, 3)]
    listener = look(platform, clock, held=held_of(platform))
    for number in ids[1:]:
        platform.remove(number)
    ask = platform.reply

    def reply(asked: Asked) -> Fault:
        is_refused = asked.path == "/2/tweets" and ids[0] in asked.params["ids"]
        return Fault(status, b"{}") if is_refused else ask(asked)

    platform.reply = reply  # type: ignore[method-assign]
    for _ in range(2):
        clock.set(clock.now() + timedelta(hours=24))
        listener.for_(timedelta(hours=2), clock)
    removals = [(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)]
    assert sorted(removals) == [
        (f"x:{number}", kind) for number in ids[1:] for kind in ("erased", "hidden")
    ]


def test_an_edit_that_no_track_finds_is_found_by_looking_again(
    platform: x.X, clock: ManualClock
) -> None:
    """A look-up of the first id tells the chain; its newest version is fetched once."""
    first = platform.post(1, START, "Acme is slow")
    listener = look(platform, clock, held=lambda *_: [first["id"]] if not _[2] else [])
    edit = platform.post(2, START - timedelta(days=3), "It is fine again")
    edit["id"] = x.id_at(START + timedelta(minutes=5), 2)
    platform.posts[edit["id"]] = edit
    first["edit_history_tweet_ids"] = edit["edit_history_tweet_ids"] = [first["id"], edit["id"]]
    for _ in range(3):
        clock.set(clock.now() + timedelta(hours=24))
        listener.for_(timedelta(minutes=5), clock)
    was, became = mentions(listener)
    assert (became.id, became.text) == (was.id, "It is fine again")
    assert became.version > was.version


def test_looking_again_waits_for_money(platform: x.X, clock: ManualClock) -> None:
    """What is left of the day's cap is for what is said now."""
    for number in range(1, 101):
        platform.post(number, START - timedelta(minutes=1), f"Acme post {number}")
    money = {"price": 0.01, "most_a_day": 4.0, "most_a_month": 50.0}
    held = held_of(platform)
    opened = source(platform, clock, held=held, **money)
    Listener(opened).for_(timedelta(minutes=20), clock)
    assert not any(asked.path == "/2/tweets" for asked in platform.asked)
    Listener(opened).for_(timedelta(hours=20), clock)
    assert sum(asked.path == "/2/tweets" for asked in platform.asked) == 1


def test_jobs_tell_of_deletes_without_a_read(platform: x.X, clock: ManualClock) -> None:
    """Where the plan has them: one at a time, also across a restart; the token stays with X."""
    gone, private, _ = (platform.post(n, START, f"Acme post {n}")["id"] for n in (1, 2, 3))
    more: dict[str, Any] = {"held": held_of(platform), "recheck": "jobs"}
    listener = look(platform, clock, **more)
    platform.remove(gone)
    platform.remove(private, "not-authorized-for-resource")
    listener = listener.again(source(platform, clock, **more))
    listener.for_(timedelta(minutes=10), clock)
    assert platform.jobs == {"900": "created"}
    assert len(platform.uploads["900"]) == 3
    platform.jobs["900"] = "complete"
    listener.for_(timedelta(minutes=5), clock)
    del platform.gone[private]
    clock.set(clock.now() + timedelta(hours=24))
    listener.for_(timedelta(minutes=5), clock)
    platform.jobs["901"] = "complete"
    listener.for_(timedelta(minutes=5), clock)
    removals = [(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)]
    assert removals[:2] == [(f"x:{gone}", "erased"), (f"x:{private}", "hidden")]
    assert removals[-1] == (f"x:{private}", "shown")
    assert not any("authorization" in headers for headers in platform.storage_headers)
    assert not any(asked.path == "/2/tweets" for asked in platform.asked)


def test_a_job_that_came_to_nothing_is_made_again(platform: x.X, clock: ManualClock) -> None:
    """An hour later; reading goes on all the while."""
    gone = platform.post(1, START, "Acme post 1")["id"]
    listener = look(platform, clock, held=held_of(platform), recheck="jobs")
    platform.remove(gone)
    platform.jobs["900"] = "failed"
    listener.for_(timedelta(minutes=30), clock)
    assert len(platform.jobs) == 1
    listener.for_(timedelta(hours=1), clock)
    platform.jobs["901"] = "complete"
    listener.for_(timedelta(minutes=5), clock)
    assert [v.kind for v in listener.came if isinstance(v, Removal)] == ["erased"]
