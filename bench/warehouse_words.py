"""Sixty days of a warehouse's life, in words of the pipeline: what ``bench.warehouse`` writes.

300 incidents, five of them so large that a hundredth of all posts is linked to each; links for
some 15 % of the posts; one post in ten tells again what another said; a day has its quiet hours.
The same words every time.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.model import (
    Author,
    Campaign,
    Component,
    Decision,
    Evidence,
    Feedback,
    Incident,
    Label,
    Link,
    Mention,
    Removal,
    Repeat,
    Update,
)

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
DAYS: Final = 60
END: Final = START + timedelta(days=DAYS)
INCIDENTS: Final = 300
#: So many of them are as large as this share of all posts.
LARGE: Final = 5
LARGE_SHARE: Final = 0.02
TRACKS: Final = ("acme", "nordwind", "fernwick", "lumenpost", "brightline")
COMPONENTS: Final = ("messages", "checkout", "app login", "delivery", "billing", "search")
PLACES: Final = ("Leeds", "Glasgow", "Berlin", "Porto", "Lyon", "Sevilla", "Graz", "Bergen")
PHRASES: Final = (
    "the app will not load since this morning",
    "checkout spins forever and then says try again",
    "is it only me or is everyone in town cut off",
    "third time this month",
    "no signal at all",
    "works fine here",
    "restarted the router twice",
    "support does not answer",
    "payment went through but there is no order",
)
#: By the number of a post.
SOURCES: Final = ("x", "bluesky", "x", "mastodon", "x")
HEADS: Final = {
    "intent": ("report", "report", "question", "complaint", "other", "recovery"),
    "topic": ("network", "payment", "login", "other"),
    "severity": ("harm", "blocked", "degraded", "none"),
    "sentiment": ("negative", "neutral", "positive"),
    "informative": ("yes", "no"),
    "noise": ("no", "no", "no", "no", "no", "yes"),
    "language": ("en", "es", "de"),
}
#: Ids are long on the platforms.
_FIRST_ID: Final = 1_780_000_000_000_000_000


def incident_id(number: int) -> str:
    """Every sixth is a proposal of ours."""
    return f"groundswell:acme-{number}" if number % 6 == 5 else f"statuspage:{number}"


def incidents(count: int = INCIDENTS) -> list[Incident]:
    """Evenly over the days, an hour to four long; the last three are still open."""
    return [_incident(number, count) for number in range(count)]


def span(number: int, count: int = INCIDENTS) -> tuple[datetime, datetime]:
    """When an incident began and ended."""
    started = START + timedelta(days=DAYS) * ((number + 0.5) / count)
    return started, started + timedelta(hours=1 + number % 4)


def _incident(number: int, count: int) -> Incident:
    started, ended = span(number, count)
    is_open, is_proposed = number >= count - 3, number % 6 == 5
    component, place = COMPONENTS[number % 6], PLACES[number % 8]
    told = Update(status="investigating", body=f"{component} in {place}", display_at=started)
    return Incident(
        id=incident_id(number),
        title=f"Trouble with {component} in {place}",
        status="proposed" if is_proposed else "investigating" if is_open else "resolved",
        components=(Component(name=component),),
        regions=(place,),
        tracks=(TRACKS[number % 5],),
        updates=(told,) * 4,
        started_at=started,
        resolved_at=None if is_open or is_proposed else ended,
        at=started if is_open else ended,
        topic=HEADS["topic"][number % 3] if is_proposed else None,
        official_id=incident_id(number - 1) if number % 12 == 5 else None,
        witnesses=12 if is_proposed else 0,
        version=number % 4,
    )


class Life:
    """Makes posts. ``count`` in all, of which the incidents get their shares."""

    def __init__(self, seed: int = 7) -> None:
        self._chance = random.Random(seed)
        usual = (0.26 - LARGE * LARGE_SHARE) / (INCIDENTS - LARGE)
        large = set(range(30, 30 + LARGE * 50, 50))
        self._weights = [LARGE_SHARE if n in large else usual for n in range(INCIDENTS)]

    def post(self, number: int, at: datetime | None = None, version: int = 0) -> Feedback:
        """The post of that number, said at ``at`` (None: whenever, as incidents have it)."""
        chance, incident = self._chance, None
        if at is None and chance.random() < sum(self._weights):
            (incident,) = chance.choices(range(INCIDENTS), self._weights)
            began, ended = span(incident)
            at = began + (ended - began) * (chance.random() * 1.3)
        elif at is None:
            hour = chance.choices(range(24), [1] * 7 + [3] * 15 + [2] * 2)[0]
            at = START + timedelta(days=chance.randrange(DAYS), hours=hour + chance.random())
        elif chance.random() < 0.2:
            day = (at - START) / timedelta(days=DAYS)
            incident = max(0, min(INCIDENTS - 1, int(day * INCIDENTS - 0.5)))
        return Feedback(
            mention=self._mention(number, at, incident, version),
            repeat=self._repeat(number),
            labels=self._labels(),
            links=self._links(incident, number),
            model="2026-01",
        )

    def _mention(self, number: int, at: datetime, incident: int | None, version: int) -> Mention:
        chance = self._chance
        track = chance.choice(TRACKS) if incident is None else TRACKS[incident % 5]
        also = (chance.choice(TRACKS),) if chance.random() < 0.1 else ()
        author = chance.randrange(1 + number // 2)
        return Mention(
            source=SOURCES[number % 5],
            external_id=external_id(number),
            author=Author(id=str(10_000_000 + author), handle=f"user_{author}"),
            text=f"{number} " + ", ".join(chance.choices(PHRASES, k=4)),
            lang="en",
            said_at=at,
            seen_at=at + timedelta(seconds=2),
            url=f"https://x.example/status/{number}",
            tracks=tuple(dict.fromkeys((track, *also))),
            version=version,
            engagement={"likes": chance.randrange(9), "reposts": chance.randrange(3)},
        )

    def _repeat(self, number: int) -> Repeat:
        chance = self._chance
        if number < 2 or chance.random() >= 0.1:
            return Repeat(group=mention_id(number))
        # Somebody is copied often, most are copied once.
        head = chance.randrange(number) // 40 * 40 if chance.random() < 0.5 else number - 1
        kind = chance.choice(("copy", "near", "repost"))
        return Repeat(kind=kind, group=mention_id(head), of=mention_id(head))

    def _labels(self) -> dict[str, Label]:
        chance = self._chance
        labels = {h: Label(name=chance.choice(v), p=0.8, sure=True) for h, v in HEADS.items()}
        if chance.random() < 0.3:
            name = chance.choice(COMPONENTS)
            alias = (Evidence(kind="alias", value=name, weight=1.0),)
            labels["component"] = Label(name=name, p=0.9, sure=True, evidence=alias)
        if chance.random() < 0.1:
            name = chance.choice(PLACES)
            found = (
                Evidence(kind="place", value=name, weight=1.0),
                Evidence(kind="in", value="Europe", weight=1.0),
            )
            labels["place"] = Label(name=name, p=0.9, sure=True, evidence=found)
        if chance.random() < 0.003:
            claim = (Evidence(kind=chance.choice(("hacked", "sabotage")), value="they say"),)
            labels["claim"] = Label(name="claim", p=0.9, sure=True, evidence=claim)
        return labels

    def _links(self, incident: int | None, number: int) -> tuple[Link, ...]:
        if incident is None or number % 5 > 2:
            return ()
        reasons = (
            Evidence(kind="component", value="names 'checkout'", weight=1.4),
            Evidence(kind="time", value="12 min after opening", weight=0.7),
        )
        state = self._chance.choice(("linked", "linked", "suggested"))
        made = Link(incident=incident_id(incident), p=0.9, state=state, evidence=reasons)
        return (made,)

    def decisions(self, posts: Sequence[Feedback], count: int) -> list[Decision]:
        """What people settle of some posts and incidents."""
        made = []
        for number, post in enumerate(self._chance.sample(list(posts), count)):
            verb, value = ("relabel", "intent=complaint")
            if number % 3:
                verb = "link" if number % 3 == 1 else "unlink"
                value = post.links[0].incident if post.links else incident_id(number % INCIDENTS)
            told = {"id": f"d{number}", "subject": post.mention.id, "verb": verb, "value": value}
            made.append(Decision(**told, by="ada", at=post.mention.event_at + timedelta(hours=1)))
        for number in range(0, INCIDENTS, 60):
            told = {"id": f"e{number}", "verb": "dismiss", "subject": incident_id(number + 5)}
            made.append(Decision(**told, by="ada", at=END))
        return made

    def campaigns(self, posts: Sequence[Feedback], count: int) -> list[Campaign]:
        """What the watch sets aside."""
        chosen = self._chance.sample(list(posts), count)
        return [Campaign(mention=post.mention.id, kind="variants") for post in chosen]

    def removals(self, posts: Sequence[Feedback], count: int) -> list[Removal]:
        """Half of them erased, half hidden."""
        chosen = self._chance.sample(list(posts), count)
        kinds = ("erased", "hidden")
        return [
            Removal(
                removal=post.mention.id,
                kind="erased" if kinds[number % 2] == "erased" else "hidden",
                at=END,
                scope="mention",
            )
            for number, post in enumerate(chosen)
        ]


def mention_id(number: int) -> str:
    """The id of the post of that number."""
    return f"{SOURCES[number % 5]}:{external_id(number)}"


def external_id(number: int) -> str:
    """As long as the platform's own."""
    return str(_FIRST_ID + number * 7919)


def live(
    life: Life, first: int, rows: int, size: int, at: datetime, again: Sequence[str] = ()
) -> Iterator[list[Feedback]]:
    """Batches of posts from ``at`` on, numbered from ``first``: one key in ten comes once more.

    Eight of ten such keys are of the last posts, the others are the mention ids ``again``, of all
    the time before; half are edits, half are told unchanged.
    """
    chance = random.Random(first)
    recent: list[Feedback] = []
    made = 0
    while made < rows:
        batch: list[Feedback] = []
        for _ in range(min(size, rows - made)):
            moment = at + timedelta(seconds=made * 0.02)
            made += 1
            if not recent or chance.random() >= 0.1:
                batch.append(life.post(first + made, moment))
                recent.append(batch[-1])
            else:
                batch.append(_again(chance, recent, again))
        recent = recent[-20_000:]
        yield batch


def _again(chance: random.Random, recent: Sequence[Feedback], again: Sequence[str]) -> Feedback:
    """A post that was told before."""
    word = chance.choice(recent)
    mention = word.mention
    if again and chance.random() < 0.2:
        source, _, number = chance.choice(again).partition(":")
        mention = mention.model_copy(update={"source": source, "external_id": number})
    if chance.random() < 0.5:
        mention = mention.model_copy(update={"version": mention.version + 1})
    return word.model_copy(update={"mention": mention})
