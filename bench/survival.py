"""Kill -9 among processes on Kafka, PostgreSQL and Redis, and what is left: all there was to find.

    python -m bench.survival [--posts 30000] [--kills 12] [--minutes 6] [--servers kafka …]

Plays recorded posts through two collectors, three workers, two stores and the watch, kills and
restarts processes at random moments, and each server once: Kafka, PostgreSQL, and Redis, which
comes back empty. Held against what the posts were made of
(which repeat which, which are removed) and against ``replay`` of the same files (links): replay
is one process with the adapters of ``up``, so that nothing of what is tested tests itself.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import synthetic
from bench.program import PROGRAM, environment, run
from config.scale import SETTLE_SECONDS
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.errors import TryLater
from sinks.postgres_link import PostgresLink
from tests.servers.cluster import Cluster, halves, recorded

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LENGTH = timedelta(minutes=60)
NAMES = ("acme", "nordwind")
TRACKS = "".join(f'[[track]]\nname = "{name}"\nterms = ["{name}"]\n' for name in NAMES)
GROUPS = ("worker", "store", "watch")
SERVERS = ("kafka", "postgres", "redis")
#: So long nothing may be on its way, in seconds: then also what is compared once more is over.
STEADY = SETTLE_SECONDS + 10
#: Examples of what differs.
SHOWN = 5
#: What is asked of both warehouses. Proposals are left out: they are made by the clock's time.
MENTIONS = "SELECT id, version, is_removed, repeat_group FROM feedback"
LINKS = (
    "SELECT id, incident_id, link_state FROM incident_feedback "
    "WHERE incident_id NOT LIKE 'groundswell:%'"
)
WORRIES = (
    "messages do not arrive in Leeds",
    "no messages delivered since nine, I am in Leeds",
    "checkout fails in Porto, my card is refused",
    "cannot pay, the checkout shows an error in Porto",
    "is not working for me",  # enough to suggest an incident, not to name it
)
CHATTER = (
    "new lamp from {} looks lovely in the hall",
    "thank you {} for the quick answer",
    "does {} open on Sunday",
)

Pairs = frozenset[tuple[str, str, str]]


@dataclass(frozen=True)
class Truth:
    """What the posts were made of: ids, the sets of those that say the same, and what is gone."""

    ids: frozenset[str]
    groups: frozenset[frozenset[str]]
    removed: frozenset[str]


@dataclass(frozen=True)
class Found:
    """What stands in a warehouse: newest versions, removals, groups as sets, and links."""

    versions: dict[str, int]
    removed: frozenset[str]
    groups: frozenset[frozenset[str]]
    links: Pairs


# ---- the posts ----------------------------------------------------------------------------------


def tell(folder: Path, posts: int, seed: int = 1) -> Truth:
    """Writes posts.jsonl and incidents.jsonl; returns what must be found in them."""
    chance = random.Random(seed)
    lines: list[tuple[datetime, dict[str, Any]]] = []
    groups: defaultdict[str, set[str]] = defaultdict(set)
    gone_authors, removed, erased = {}, set[str](), set[str]()
    originals: list[dict[str, Any]] = []
    for number in range(posts):
        at = START + LENGTH * number / posts
        if originals and chance.random() < 0.15:
            first = chance.choice(originals[-200:])
            line = _again(first, number, at, chance)
        else:
            first = line = _post(number, at, chance)
            originals.append(line)
        # What is erased has no repeats: near ones are recognised by words that may be gone by then.
        if leaves := line is first and chance.random() < 0.025:
            line["author"] = {"id": f"leaving{chance.randrange(20)}"}
        ours = _id(line)
        groups[_id(first)].add(ours)
        lines.append((at, line))
        later, dice = at + LENGTH * 20 / posts, chance.random()
        if dice < 0.02:
            edit = line | {"text": line["text"] + " (edited)", "version": number + 1}
            lines.append((later, edit))
        elif dice < 0.04:
            kind = "erased" if line is first and dice < 0.03 else "hidden"
            lines.append((later, _removal(ours, kind, later, "mention")))
            removed.add(ours)
            erased |= {ours} if kind == "erased" else set()
        elif leaves and dice < 0.3:
            author = f"x:{line['author']['id']}"
            lines.append((later, _removal(author, "erased", later, "author")))
            gone_authors[author] = later
        if leaves or ours in erased:
            originals.pop()
    removed |= _of_authors(lines, gone_authors)
    lines.sort(key=lambda pair: pair[0])
    synthetic.write((line for _, line in lines), folder / "posts.jsonl")
    synthetic.write(_incidents(), folder / "incidents.jsonl")
    return Truth(
        ids=frozenset().union(*groups.values()),
        groups=frozenset(map(frozenset, groups.values())),
        removed=frozenset(removed),
    )


def _id(line: dict[str, Any]) -> str:
    return f"{line['source']}:{line['external_id']}"


def _post(number: int, at: datetime, chance: random.Random) -> dict[str, Any]:
    track = chance.choice(NAMES)
    said = (
        f"{track} {chance.choice(WORRIES)}"
        if chance.random() < 0.5
        else chance.choice(CHATTER).format(track)
    )
    # Words of its own keep a post far from all others, in whatever order they are compared.
    own = " ".join("".join(chance.choices("abdegiklmnoprstuvz", k=8)) for _ in range(14))
    return {
        "source": "x",
        "external_id": str(number),
        "author": {"id": f"a{chance.randrange(5_000)}"},
        "text": f"{said} {own}",
        "lang": "en",
        "said_at": at.isoformat(),
    }


def _again(
    first: dict[str, Any], number: int, at: datetime, chance: random.Random
) -> dict[str, Any]:
    """A repost, a copy or nearly the same."""
    line = _post(number, at, chance) | {"text": first["text"]}
    kind = chance.choice(("repost", "copy", "near"))
    if kind == "repost":
        return line | {"kind": "repost", "repost_of": first["external_id"]}
    text = first["text"]
    return line | {"text": text.upper() if kind == "copy" else f"{text} me too"}


def _removal(name: str, kind: str, at: datetime, scope: str) -> dict[str, Any]:
    return {"removal": name, "kind": kind, "at": at.isoformat(), "scope": scope}


def _of_authors(
    lines: Iterable[tuple[datetime, dict[str, Any]]], gone: dict[str, datetime]
) -> set[str]:
    """What the authors that are gone had said until then."""
    return {
        _id(line)
        for _, line in lines
        if "text" in line
        and (until := gone.get(f"x:{line['author']['id']}")) is not None
        and datetime.fromisoformat(line["said_at"]) <= until
    }


def _incidents() -> Iterator[dict[str, Any]]:
    """Two failures, one after the other, each opened late, told more of, and resolved."""
    told = (
        ("1", "acme", "messages", "Messages do not arrive", "Leeds", 5),
        ("2", "nordwind", "checkout", "Checkout fails, cards are refused", "Porto", 30),
    )
    for name, track, component, title, place, begin in told:
        started = START + timedelta(minutes=begin)
        known: dict[str, Any] = {
            "id": f"status:{name}",
            "title": title,
            "components": [{"name": component}],
            "regions": [place],
            "tracks": [track],
            "started_at": started.isoformat(),
        }
        updates: list[dict[str, Any]] = []
        for status, after in (("investigating", 6), ("identified", 12), ("resolved", 22)):
            at = (started + timedelta(minutes=after)).isoformat()
            updates.append({"status": status, "display_at": at, "body": f"{title} in {place}"})
            ended = {"resolved_at": at} if status == "resolved" else {}
            yield known | ended | {"status": status, "updates": list(updates), "at": at}


# ---- the undisturbed run ------------------------------------------------------------------------


def undisturbed(folder: Path) -> Found:
    """What ``replay`` finds in the files of ``folder``."""
    (folder / "groundswell.toml").write_text(TRACKS, encoding="utf-8")
    run("replay", "posts.jsonl", "--incidents", "incidents.jsonl", cwd=folder)

    def ask(sql: str) -> list[list[Any]]:
        told = subprocess.run(
            [*PROGRAM, "query", sql, "--format", "json"],
            cwd=folder,
            capture_output=True,
            check=True,
            env=environment(),
        )
        return [list(row.values()) for row in json.loads(told.stdout)]

    return _found(ask(MENTIONS), ask(LINKS))


def _found(mentions: Iterable[Sequence[Any]], links: Iterable[Sequence[Any]]) -> Found:
    groups: defaultdict[str, set[str]] = defaultdict(set)
    versions, removed = {}, set()
    for name, version, is_removed, group in mentions:
        versions[name] = version
        groups[group].add(name)
        if is_removed:
            removed.add(name)
    return Found(
        versions,
        frozenset(removed),
        frozenset(map(frozenset, groups.values())),
        frozenset((row[0], row[1], row[2]) for row in links),
    )


# ---- the disturbed run --------------------------------------------------------------------------


def cluster(folder: Path, seconds: float, session: float | None = None) -> Cluster:
    """A cluster that plays the files of ``folder`` in about ``seconds``."""
    pace = f"speed = {LENGTH.total_seconds() / seconds}\n"
    one, other = (
        recorded("source", file, f"half-{number}") + pace
        for number, file in enumerate(halves(folder / "posts.jsonl"), 1)
    )
    status = recorded("incidents", "incidents.jsonl", "status") + pace
    kafka = "" if session is None else f"session_seconds = {session}\n"
    return Cluster(folder, TRACKS, (one + status, other), kafka=kafka)


def plan(
    names: Sequence[str], kills: int, seconds: float, seed: int, servers: Sequence[str] = SERVERS
) -> list[tuple[float, str]]:
    """When whom to kill, in order: one of each role, others up to ``kills``, each server once."""
    chance = random.Random(seed)
    roles = sorted({name.partition("-")[0] for name in names})
    victims = [chance.choice([name for name in names if name.startswith(role)]) for role in roles]
    victims += chance.choices(names, k=max(0, kills - len(victims)))
    return sorted(
        (round(chance.uniform(0.05, 0.95) * seconds, 1), victim)
        for victim in [*victims[:kills], *servers]
    )


def disturb(running: Cluster, moments: Sequence[tuple[float, str]]) -> None:
    """Kills each at its moment, in seconds from now, and starts it again right after."""
    began = time.monotonic()
    for moment, victim in moments:
        time.sleep(max(0.0, began + moment - time.monotonic()))
        killed = getattr(running, victim) if victim in SERVERS else running.processes[victim]
        killed.kill()
        killed.start()


def wait(running: Cluster, truth: Truth, seconds: float) -> None:
    """Until all mentions are there and nothing is on its way. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    steady_since = time.monotonic()
    with closing(KafkaBroker(KafkaSettings(servers=running.kafka.address))) as broker:
        while time.monotonic() - steady_since < STEADY:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the cluster did not come to rest\n{running.logs()}")
            if ended := [each.name for each in running.processes.values() if not each.is_running]:
                raise RuntimeError(f"ended by itself: {ended}\n{running.logs()}")
            try:
                busy = any(sum(broker.lag(group).values()) for group in GROUPS)
            except TryLater:
                busy = True
            if busy or _count(running) < len(truth.ids):
                steady_since = time.monotonic()
            time.sleep(1)


def _count(running: Cluster) -> int:
    return int(_ask(running, "SELECT count(*) FROM feedback")[0][0])


def _ask(running: Cluster, sql: str) -> list[list[Any]]:
    link = PostgresLink(running.postgres.url, "groundswell", "the bench")
    with closing(link.open()) as connection:
        return [list(row.values()) for row in connection.run(sql).to_pylist()]


def disturbed(running: Cluster) -> Found:
    """What stands in the cluster's warehouse."""
    return _found(_ask(running, MENTIONS), _ask(running, LINKS))


def differences(truth: Truth, calm: Found, found: Found) -> dict[str, list[Any]]:
    """The things that differ, by what they are; empty when all is as it must be.

    Groups and links are held against the undisturbed run: which posts are near is an estimate,
    and how good it is, ``bench.repeats`` measures.
    """
    compared: dict[str, Iterable[Any]] = {
        "mentions missing": truth.ids - set(found.versions),
        "mentions too many": set(found.versions) - truth.ids,
        "versions": set(calm.versions.items()) ^ set(found.versions.items()),
        "removals": truth.removed ^ found.removed,
        "groups": calm.groups ^ found.groups,
        "links": calm.links ^ found.links,
    }
    return {what: sorted(different, key=str) for what, different in compared.items() if different}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.survival", description=__doc__)
    parser.add_argument("--posts", type=int, default=30_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=6, help="how long the posts are played")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", nargs="*", choices=SERVERS, default=SERVERS)
    options = parser.parse_args(arguments)
    seconds = options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as scratch:
        folder = Path(scratch)
        truth = tell(folder, options.posts, options.seed)
        calm = undisturbed(folder)
        made = f"{len(truth.ids):,} posts in {len(truth.groups):,} groups"
        print(f"{made}, {len(truth.removed):,} removed, {len(calm.links):,} links")
        missed = len(truth.groups ^ calm.groups)
        print(f"replay: {missed} groups are not as made", flush=True)
        with cluster(folder, seconds) as running:
            names = [name for name in running.processes if name != "web"]
            moments = plan(names, options.kills, seconds, options.seed, options.servers)
            began = time.monotonic()
            disturb(running, moments)
            wait(running, truth, seconds + 600)
            took = time.monotonic() - began
            apart = differences(truth, calm, disturbed(running))
    print(f"killed: {', '.join(f'{victim} at {at} s' for at, victim in moments)}")
    print(f"at rest after {took:.0f} s")
    for what, different in apart.items():
        print(f"{len(different)} {what} differ, among them {different[:SHOWN]}")
    if not apart:
        print("the same mentions, groups, removals and links")
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
