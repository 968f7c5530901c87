"""Makes posts of drafts, in the order of time, and says what is true of each."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from config.demo.people import People, Person
from config.demo.texts import Pool, Said, alike, lines, scenario, sections
from pipeline.model import Author, Mention
from pipeline.values import to_ms

# What the truth calls the sections of the files of texts.
_KINDS = {"first": "report", "single": "report", "private": "report", "still": "report"}
_FAILING = {"first", "report", "question", "guess", "joke", "private", "still", "recovery"}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of one post, by id.

    ``kind``: report, question, guess, complaint, praise, request, chatter, joke, recovery,
    politics, spam or official. ``repeat``: original, repost, quote, copy or near, of the first post
    of ``group`` (an id; its own for originals). ``incident``: the official incident it is about.
    """

    id: str
    phase: str
    kind: str
    lang: str
    repeat: str
    group: str
    incident: str | None = None
    removed: bool = False


@dataclass(slots=True)
class Draft:
    """A post before it has an author: when, from which section, and whether it echoes others."""

    minute: float
    phase: str
    section: str
    file: str = ""
    repeat: str = "original"
    of: tuple[str, ...] = ()
    text: str = ""


@dataclass(slots=True)
class Post:
    """A post that was made, as echoes need it. ``fame`` is how often it is picked up."""

    draft: Draft
    mention: Mention
    truth: Truth
    fame: float


@dataclass(slots=True)
class Maker:
    """Turns drafts into posts, one after the other in the order of time."""

    start: datetime
    chance: random.Random
    people: People
    pools: dict[tuple[str, str], Pool] = field(default_factory=dict)
    given: dict[tuple[str, str], list[Post]] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)

    def make(self, draft: Draft) -> None:
        """Makes one post."""
        post = self._echo(draft) if draft.of else self._original(draft)
        self.posts.append(post)

    def _original(self, draft: Draft) -> Post:
        key = (draft.file, draft.section)
        said = Said(draft.text, "en")
        if not draft.text:
            if key not in self.pools:
                self.pools[key] = Pool(*key, self.chance)
            said = self.pools[key].next(_towns(draft.phase))
        before = None if said.same_as is None else self.given[key][said.same_as]
        post = self._post(draft, said.text, said.lang, self._author(draft), before)
        self.given.setdefault(key, []).append(post)
        return post

    def _echo(self, draft: Draft) -> Post:
        """A repost, quote, copy or near copy of an earlier post of its phase."""
        earlier = [
            post
            for post in self.posts
            if post.draft.section in draft.of
            and post.draft.phase == draft.phase
            and post.truth.repeat == "original"
            and post.draft.minute < draft.minute - 0.3
            and (draft.repeat != "repost" or post.mention.source != "reddit")
        ]
        of = self.chance.choices(earlier, [post.fame for post in earlier])[0]
        is_link = draft.repeat in {"repost", "quote"}
        author = self._author(draft, source=of.mention.source if is_link else None)
        text = of.mention.text
        if draft.repeat == "quote":
            text = self.chance.choice(lines(sections(draft.file)[draft.section], "quote"))
        elif draft.repeat == "near":
            text = alike(of.mention.text, of.truth.lang, self.chance, _towns(draft.phase))
        return self._post(draft, text, of.truth.lang, author, of)

    def _author(self, draft: Draft, source: str | None = None) -> Person:
        if draft.section == "official":
            handle = scenario()["official"]
            return Person("x", "1000", handle, None)
        again = {"storm": 0.75, "quiet": 0.25, "background": 0.25}.get(draft.phase, 0.12)
        crowd = "quiet" if draft.phase == "background" else draft.phase
        place = None
        if self.chance.random() < 0.3 and crowd in {"failure", "after"}:
            place = f"{self.chance.choice(scenario()['towns'])}, Scotland"
        return self.people.someone(crowd, again=again, source=source, place=place)

    def _post(self, draft: Draft, text: str, lang: str, author: Person, of: Post | None) -> Post:
        chance, number = self.chance, len(self.posts)
        at = self.start + timedelta(milliseconds=round(draft.minute * 60_000))
        external_id = _external_id(author.source, at, number)
        told = of.mention.external_id if of else None
        fame = chance.paretovariate(1.1)
        kind: Any = draft.repeat if draft.repeat in {"repost", "quote"} else "post"
        if author.source == "reddit" and chance.random() < 0.6:
            kind = "comment"
        mention = Mention(
            source=author.source,
            external_id=external_id,
            kind=kind,
            author=Author(id=author.id, handle=author.handle),
            text=text,
            lang=lang if author.source != "reddit" and chance.random() < 0.85 else None,
            said_at=at,
            url=f"https://{author.source}.example/{author.handle}/{external_id}",
            repost_of=told if kind == "repost" else None,
            quote_of=told if kind == "quote" else None,
            thread=f"t3_fw{number // 40}" if kind == "comment" else None,
            hashtags=tuple(re.findall(r"#(\w+)", text)),
            mentions=tuple(re.findall(r"(?<!\w)@(\w+)", text)),
            links=tuple(re.findall(r"https://\S+", text)),
            place=author.place,
            engagement={"likes": int(fame * 3) - 3, "replies": chance.randrange(3)},
        )
        group = of.truth.group if of else mention.id
        repeat = draft.repeat if draft.of or of is None else "near"
        truth = _truth(draft, mention.id, lang, repeat, group)
        if of is not None and repeat != "quote":
            truth = replace(truth, kind=of.truth.kind)  # it says what that one says
        return Post(draft, mention, truth, fame)


def _towns(phase: str) -> Sequence[str]:
    towns: list[str] = scenario()["towns"]
    elsewhere: list[str] = scenario()["elsewhere"]
    return towns if phase in {"failure", "after"} else towns + elsewhere


def _external_id(source: str, at: datetime, number: int) -> str:
    """An id as the platform makes them: snowflakes, or letters and digits."""
    if source == "reddit":
        return f"t1_fw{number:05d}"
    if source == "bluesky":
        return f"3kfw{number:09d}"
    return str((to_ms(at) - 1_288_834_974_657 << 22) + number)


def _truth(draft: Draft, id: str, lang: str, repeat: str, group: str) -> Truth:
    about = draft.section in _FAILING | {"official"} and draft.phase in {"failure", "after"}
    return Truth(
        id=id,
        phase=draft.phase,
        kind=_KINDS.get(draft.section, draft.section),
        lang=lang,
        repeat=repeat,
        group=group,
        incident=scenario()["incident"]["id"] if about else None,
    )
