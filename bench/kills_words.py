"""The words that ``bench.kills`` writes, batch by batch, always the same.

Whatever may happen to a post happens, and shows by the last digit of its place in its batch:

0 is told again; 1 is edited twice; 2 comes in two newer versions at once, 3 in an older one last;
4 is linked before it comes, linked again and then not; 5 is hidden, told again, and every other one
shown; 6 is erased and told again; 7 is erased before it comes; 8 and 9 are an author's who is
erased. 3 and 9 are copies of a post of the batch before. People decide about posts and proposals.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Literal

from bench.warehouse_words import START
from pipeline.model import (
    Author,
    Campaign,
    Coverage,
    Decision,
    Evidence,
    Feedback,
    Incident,
    Label,
    LateLink,
    Link,
    LinkState,
    Mention,
    Removal,
    Repeat,
    StatusAt,
)
from pipeline.ports import Rows

#: What only a post's own words hold; finds the number of its batch and its place there.
SECRET: Final = re.compile(r"secret-(\d+-\d+)-")
INCIDENTS: Final = 12
_BETWEEN: Final = timedelta(minutes=3)
_MUCH_LATER: Final = START + timedelta(days=1000)
_VERBS: Final = ("accept", "dismiss", "merge", "accept")


def batch(number: int, size: int) -> Rows:
    """What batch ``number`` brings, of which ``size`` posts are new."""
    return Rows(
        feedback=[*_told_again(number, size), *(_post(number, place) for place in range(size))],
        links=list(_links(number, size)),
        campaigns=[
            Campaign(mention=_id(number - 1, place), kind="variants")
            for place in _of(number - 1, 1, size)
        ],
        incidents=[_incident(number)],
        decisions=_decisions(number),
        removals=list(_removals(number, size)),
        coverage=[Coverage(source="x", from_at=_said_at(number), to_at=_said_at(number + 1))],
    )


def written_at(number: int) -> datetime:
    """When batch ``number`` is written."""
    return _MUCH_LATER + timedelta(seconds=number)


def told_of(number: int) -> str:
    """The id of the decision by which batch ``number`` is known."""
    return f"d{number}"


def erased_by(number: int, size: int) -> set[str]:
    """The posts, as ``SECRET`` finds them, of which batch ``number`` asks that no word be left."""
    found = [
        *((number - 1, place) for place in _of(number - 1, 6, size)),
        *((number + 1, place) for place in _of(number + 1, 7, size)),
        *((number - 2, place) for place in _of(number - 2, 8, size)),
        *((number - 2, place) for place in _of(number - 2, 9, size)),
    ]
    return {f"{born}-{place}" for born, place in found}


def erasures(number: int, size: int) -> list[Removal]:
    """What batch ``number`` asks to be erased."""
    return [removal for removal in _removals(number, size) if removal.kind == "erased"]


def _of(number: int, fate: int, size: int) -> range:
    """The places of the posts of batch ``number`` that end like this; none before the first."""
    return range(fate, size if number >= 0 else 0, 10)


def _told_again(number: int, size: int) -> Iterator[Feedback]:
    """Posts of earlier batches, as they were or edited: (how long ago, fate, version)."""
    for ago, fate, version in (
        *((1, 0, 0), (5, 0, 0), (1, 1, 1), (3, 1, 2), (2, 2, 3), (2, 2, 1), (2, 3, 2), (4, 3, 1)),
        *((2, 5, 0), (2, 6, 1), (3, 7, 0), (3, 8, 0), (4, 9, 1)),
    ):
        for place in _of(number - ago, fate, size):
            yield _post(number - ago, place, version)


def _post(number: int, place: int, version: int = 0) -> Feedback:
    secret = f"secret-{number}-{place}-"
    mention = Mention(
        source="x",
        external_id=f"{number}-{place}",
        author=Author(id=_author(number, place), handle=f"{secret}handle"),
        text=f"nothing works, {secret}text {version}",
        said_at=_said_at(number) + timedelta(seconds=place % 60),
        url=f"https://x.example/{secret}url",
        hashtags=(f"{secret}tag",),
        tracks=("acme",) if place % 4 else ("acme", "nordwind"),
        version=version,
    )
    is_copy = place % 10 in {3, 9} and number > 0
    copied = Repeat(kind="copy", group=_id(number - 1, 0), of=_id(number - 1, 0))
    alias = Evidence(kind="alias", value=f"{secret}alias", weight=1.0)
    intent = "question" if (place + version) % 7 == 0 else "report"
    return Feedback(
        mention=mention,
        repeat=copied if is_copy else Repeat(group=mention.id),
        labels={
            "intent": Label(name=intent, p=0.9, sure=True),
            "component": Label(name="checkout", p=0.75, sure=True, evidence=(alias,)),
        },
        links=(_link(number, place, number),),
        model="m",
    )


def _link(
    number: int, place: int, incident: int, state: LinkState = "linked", version: int = 1
) -> Link:
    """Between a post and an incident, for a reason that quotes the post."""
    quoted = Evidence(kind="text", value=f"says secret-{number}-{place}-quote", weight=1.0)
    return Link(
        incident=_incident_id(incident),
        p=0.25 if state == "unlinked" else 0.875,
        state=state,
        by="late" if version > 1 else "auto",
        evidence=(quoted,),
        incident_version=version,
    )


def _links(number: int, size: int) -> Iterator[LateLink]:
    """Late words on posts of other batches: (how long ago, fate, state, incident's version)."""
    told: tuple[tuple[int, int, LinkState, int], ...] = (
        *((-1, 4, "linked", 2), (1, 4, "linked", 2), (3, 4, "unlinked", 3), (4, 4, "linked", 2)),
        *((1, 6, "suggested", 2), (3, 6, "linked", 3), (1, 7, "linked", 2), (4, 8, "linked", 2)),
    )
    for ago, fate, state, version in told:
        for place in _of(number - ago, fate, size):
            link = _link(number - ago, place, number - ago + 1, state, version)
            yield LateLink(mention=_id(number - ago, place), model="m", link=link)


def _incident(number: int) -> Incident:
    """The next version of one of them: every other one ends, and goes on in the version after."""
    began = _said_at(number % INCIDENTS)
    over = number // INCIDENTS % 2 == 1
    is_proposed = _incident_id(number).startswith("groundswell")
    begun = StatusAt(at=began, status="proposed" if is_proposed else "investigating")
    ended = StatusAt(at=_said_at(number), status="resolved")
    return Incident(
        id=_incident_id(number),
        title=f"Trouble, as told for the {number}th time",
        status=ended.status if over else begun.status,
        history=(begun, ended) if over else (begun,),
        started_at=began,
        resolved_at=ended.at if over else None,
        at=_said_at(number),
        version=number + 1,
        tracks=("acme",),
        witnesses=3 if is_proposed else 0,
    )


def _decisions(number: int) -> list[Decision]:
    def said(name: str, verb: object, subject: str, value: str = "") -> Decision:
        told = {"id": name, "verb": verb, "subject": subject, "value": value}
        return Decision.model_validate({**told, "by": "ada", "at": _said_at(number)})

    made = [said(told_of(number), "link", _id(number, 0), _incident_id(number + 2))]
    if number > 0:
        made.append(said(f"e{number}", "unlink", _id(number - 1, 0), _incident_id(number - 1)))
        made.append(said(f"f{number}", "relabel", _id(number - 1, 1), "intent=praise"))
    if number % 5 == 4:
        turn = number // 5
        proposal = _incident_id(6 * (turn % 2) + 5)
        verb = _VERBS[turn // 2 % 4]
        into = _incident_id(turn % 5) if verb == "merge" else ""
        made.append(said(f"g{number}", verb, proposal, into))
    return made


def _removals(number: int, size: int) -> Iterator[Removal]:
    def asked(
        subject: str,
        kind: Literal["hidden", "erased", "shown"],
        scope: Literal["mention", "author"] = "mention",
    ) -> Removal:
        return Removal(removal=subject, kind=kind, at=written_at(number), scope=scope)

    for place in _of(number - 1, 5, size):
        yield asked(_id(number - 1, place), "hidden")
    for place in _of(number - 3, 5, size)[::2]:
        yield asked(_id(number - 3, place), "shown")
    for place in _of(number - 1, 6, size):
        yield asked(_id(number - 1, place), "erased")
    for place in _of(number + 1, 7, size):
        yield asked(_id(number + 1, place), "erased")
    for place in _of(number - 2, 8, size):
        yield asked(f"x:{_author(number - 2, place)}", "erased", "author")


def _said_at(number: int) -> datetime:
    return START + number * _BETWEEN


def _id(number: int, place: int) -> str:
    return f"x:{number}-{place}"


def _author(number: int, place: int) -> str:
    """Two posts of a batch are by one."""
    return f"author-{number}-{place // 2}"


def _incident_id(number: int) -> str:
    """Every sixth is a proposal of ours."""
    which = number % INCIDENTS
    return f"groundswell:acme-{which}" if which % 6 == 5 else f"statuspage:{which}"
