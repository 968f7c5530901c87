"""Makes the demo's scenario: about 2,000 posts, an incident, and the truth about each post.

The same start gives the same posts, to the byte. ``python -m config.demo.generator --out DIR``
writes it to files for ``groundswell replay`` and for tests.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from config.demo.making import Draft, Maker, Post, Truth
from config.demo.people import People
from config.demo.texts import scenario, sections
from pipeline.model import Component, Incident, Mention, Removal, Update
from pipeline.values import in_utc, to_ms

#: How long the scenario is, and how long it is quiet before something fails.
LENGTH = timedelta(minutes=scenario()["length_minutes"])
QUIET = timedelta(minutes=scenario()["quiet_minutes"])

_EDITED, _DELETED = 8, 2


@dataclass(frozen=True, slots=True)
class Scenario:
    """Posts and removals in the order of their time, incident records, and the truth by post.

    ``first_report`` is when the first person noticed the failure.
    """

    posts: list[Mention | Removal]
    incidents: list[Incident]
    truth: list[Truth]
    first_report: datetime


def generate(start: datetime) -> Scenario:
    """The whole scenario, beginning at ``start``."""
    start = in_utc(start)
    chance = random.Random(scenario()["seed"])
    maker = Maker(start, chance, People(chance))
    for draft in sorted(_drafts(chance), key=lambda draft: draft.minute):
        maker.make(draft)
    first_report = start + timedelta(minutes=scenario()["first_report"])
    made = maker.posts
    removals, removed = _removals(made, start, chance)
    posts, edits = [post.mention for post in made], _edits(made, removed, chance)
    return Scenario(
        posts=sorted([*posts, *edits, *removals], key=lambda word: word.event_at),
        incidents=_incidents(first_report),
        truth=[replace(p.truth, removed=p.mention.id in removed) for p in made],
        first_report=first_report,
    )


def write(directory: Path, start: datetime) -> tuple[Path, Path, Path]:
    """Writes the scenario as JSON lines; returns the files of posts, incidents and truth."""
    made = generate(start)
    directory.mkdir(parents=True, exist_ok=True)
    files = tuple(directory / f"{name}.jsonl" for name in ("mentions", "incidents", "truth"))
    posts, incidents, truth = files
    posts.write_bytes(b"".join(word.to_json() + b"\n" for word in made.posts))
    incidents.write_bytes(b"".join(word.to_json() + b"\n" for word in made.incidents))
    truth.write_bytes(b"".join(orjson.dumps(told) + b"\n" for told in made.truth))
    return posts, incidents, truth


def _drafts(chance: random.Random) -> list[Draft]:
    """When what kind of post comes."""
    facts = scenario()
    drafts = [Draft(facts["first_report"], "failure", "first", "failure")]
    for wave in facts["wave"]:
        kinds = chance.choices([*wave["kinds"]], [*wave["kinds"].values()], k=wave["count"])
        drafts += [
            Draft(_minute(wave, chance), wave["phase"], kind, wave["file"]) for kind in kinds
        ]
    for echo in facts["echo"]:
        for repeat in ("repost", "quote", "copy", "near"):
            for _ in range(echo.get(repeat, 0)):
                minute, of = _minute(echo, chance), tuple(echo["of"])
                drafts.append(Draft(minute, echo["phase"], of[0], echo["phase"], repeat, of))
    opening = facts["first_report"] + facts["opens_after"]
    for update in facts["incident"]["updates"]:
        text = sections("failure")["official"][update["post"]]
        drafts.append(Draft(opening + update["after"] + 0.5, "failure", "official", "", text=text))
    return drafts


def _minute(wave: dict[str, Any], chance: random.Random) -> float:
    first, last = wave["minutes"]
    if "peak" in wave:
        return chance.triangular(first, last, wave["peak"])
    return chance.uniform(first, last)


def _edits(made: Sequence[Post], removed: set[str], chance: random.Random) -> Iterator[Mention]:
    """Later versions of a few posts. An edit does not move a post in time."""
    can = [
        post.mention
        for post in made
        if post.mention.source in {"mastodon", "bluesky", "reddit"}
        and post.draft.phase in {"quiet", "failure"}
        and post.mention.kind != "repost"
        and post.mention.id not in removed
    ]
    for number, mention in enumerate(chance.sample(can, _EDITED)):
        at = mention.event_at + timedelta(minutes=chance.randint(1, 6))
        added = (" (edit: typo)", " Edit: spelling, sorry", "\n\nEdit: thanks for all the answers!")
        text = mention.text + added[number % len(added)]
        yield mention.model_copy(update={"text": text, "version": to_ms(at), "seen_at": at})


def _removals(
    made: Sequence[Post], start: datetime, chance: random.Random
) -> tuple[list[Removal], set[str]]:
    """Two posts that their authors delete, one account that goes; and the ids they concern."""
    reports = [p.mention for p in made if p.truth.incident and p.truth.repeat == "original"]
    gone = chance.sample(reports[20:120], _DELETED)
    removals = [
        Removal(
            removal=mention.id,
            kind="erased",
            at=mention.event_at + timedelta(minutes=12),
            scope="mention",
        )
        for mention in gone
    ]
    reposts = [p.mention for p in made if p.draft.phase == "storm" and p.truth.repeat == "repost"]
    author = reposts[0].author_id or ""
    removals.append(Removal(removal=author, kind="erased", at=start + LENGTH, scope="author"))
    theirs = {p.mention.id for p in made if p.mention.author_id == author}
    return removals, theirs | {mention.id for mention in gone}


def _incidents(first_report: datetime) -> list[Incident]:
    """What the company's status page said, a record for each of its updates."""
    facts = scenario()["incident"]
    opened = first_report + timedelta(minutes=scenario()["opens_after"])
    said: list[Update] = []
    records = []
    for number, update in enumerate(facts["updates"]):
        at = opened + timedelta(minutes=update["after"])
        body = sections("failure")["official"][update["post"]].partition(" https://")[0]
        status = update["status"]
        said.append(Update(id=f"u{number}", status=status, body=body, display_at=at))
        records.append(
            Incident(
                id=facts["id"],
                title=facts["title"],
                status=status,
                impact=facts["impact"],
                components=(Component(id="messages", name=facts["component"]),),
                regions=tuple(facts["regions"]),
                updates=tuple(said),
                # At first they only know since when they know; the true beginning is found later.
                started_at=opened if number == 0 else first_report - timedelta(minutes=1),
                resolved_at=at if status == "resolved" else None,
                url=facts["url"],
                tracks=(scenario()["track"][0]["name"],),
                history=[{"at": u.display_at, "status": u.status} for u in said],
                at=at,
            )
        )
    return records


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the scenario to files."""
    parser = argparse.ArgumentParser(prog="python -m config.demo.generator", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--start",
        type=datetime.fromisoformat,
        metavar="TIME",
        default=datetime(2026, 3, 2, 9, tzinfo=UTC),
        help="when the quiet hour begins (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    write(options.out, options.start)


if __name__ == "__main__":
    main()
