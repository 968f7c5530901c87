"""Words that the tests of warehouses are made of, and how their views are read."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

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
    "spend": "source, day, reads, cost",
    "mentions_hourly": "track, hour, intent, topic, mentions, witnesses",
    "removals": "id, kind, asked_at, done_at",
    "crowd": (
        "incident_id, hour, stance, witnesses, recovered, still_broken, normal, unnamed_regions, "
        "unnamed_components, other_tracks"
    ),
    "rumours": (
        "incident_id, track, claim, mentions, witnesses, first_seen_at, last_seen_at, first_id"
    ),
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
    """Words about five mentions and three incidents.

    One revision always has one content, and a mention has one author and one event_at, as on
    every platform.
    """
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
        author=None if number == 4 else f"a{number % 2}",
        at=number % 3,
        kind="post" if number else "repost",
        text=f"{number} in version {version}",
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


def in_parts(words: Sequence[Word], pick: random.Random) -> Iterator[Sequence[Word]]:
    """The words in any order, in batches of any size."""
    left = pick.sample(words, len(words))
    while left:
        size = pick.randint(1, len(left))
        yield left[:size]
        left = left[size:]


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
