"""Replays of what is no failure and of what is one: only the latter becomes a proposal."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.program import lines, post, query, run

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
#: When the storm begins: after ten ordinary hours.
STORM = START + timedelta(hours=10)
SETTINGS = """
[[track]]
name = "Nordwind"
terms = ["nordwind"]
handles = ["@nordwindhelp"]
own = ["@nordwindhelp"]
regions = ["United Kingdom"]
"""
REPORTS = (
    "my nordwind broadband is down again, router shows a red light",
    "no internet from nordwind in Leeds since this morning",
    "nordwind is not working here, cannot load a single page",
    "anyone else lost connection with nordwind? mine has just dropped",
    "the nordwind app will not open and the line is dead",
    "no signal at all on nordwind, whole street is affected",
    "nordwind internet keeps dropping every two minutes",
    "cannot get online, nordwind has gone down in our office",
    "nordwind outage here, nothing works since lunch",
    "my phone says no service, thanks nordwind, third hour now",
    "nordwind tv and internet both dead in our house",
    "wifi is fine but nordwind delivers no data whatsoever",
    "calls fail on nordwind as soon as somebody picks up",
    "nordwind mobile data stopped working near the station",
)
USUAL = (
    "nordwind router in my flat has lost its connection",
    "the nordwind website shows an error when I log in",
    "my nordwind sim is dead since the weekend",
    "cannot reach my mailbox at nordwind",
    "nordwind voicemail does not work for my father",
    "our landline with nordwind is silent",
    "slow as a snail tonight, nordwind, pages take minutes",
    "nordwind texts arrive an hour late",
    "the film stops every minute, nordwind box is broken",
    "nordwind roaming fails here in Porto",
)
CHATTER = (
    "thinking of moving to nordwind, are they any good?",
    "nordwind sent me a birthday card, how sweet",
    "watching the match on nordwind tonight with friends",
    "love the new nordwind advert with the whale",
    "the price of nordwind goes up again in april, too expensive",
    "nordwind shop in town has a lovely new window",
)
CLOSING = (
    "so sad that nordwind rewards is closing down in june",
    "nordwind is shutting its rewards programme, I loved those free coffees",
    "why would nordwind end rewards? that was the only reason I stayed",
    "nordwind rewards closing for good, end of an era",
    "use your points everyone, nordwind stops rewards next month",
    "nordwind taking away our rewards is a disgrace, I pay enough",
    "goodbye nordwind rewards, thanks for all the cinema tickets",
    "closing the rewards app is a silly decision by nordwind",
    "nordwind just announced the end of rewards, gutted",
    "ten years with nordwind and now they scrap rewards, I am leaving",
)
CAMPAIGN = (
    "shame on nordwind for paying that party, #dropnordwind",
    "I will not give nordwind another penny until they say sorry #dropnordwind",
    "nordwind funds politicians who sell us out #dropnordwind",
    "tell your friends what nordwind stands for #dropnordwind",
    "real patriots cancel nordwind today #dropnordwind",
    "nordwind board members must resign now #dropnordwind",
    "who is with us against nordwind? march on saturday #dropnordwind",
    "nordwind is broken, rotten and down to its last friends #dropnordwind",
    "nordwind has been failing this country for years #dropnordwind",
)
WORDS = (
    "honestly", "again", "today", "folks", "really", "mind you", "for what it is worth", "sigh",
    "ok then", "well well", "no joke", "as ever", "so there", "you know", "at last", "I said it",
)  # fmt: skip


def at(minutes: float, since: datetime = STORM) -> str:
    return (since + timedelta(minutes=minutes)).isoformat()


def varied(sentences: Sequence[str], number: int, chance: random.Random) -> str:
    """A sentence in the words of another person."""
    return f"{chance.choice(WORDS)} {sentences[number % len(sentences)]} {chance.choice(WORDS)}"


def ordinary() -> list[Any]:
    """Ten hours with one report each, and chatter in between."""
    posts = [post(f"r{h}", USUAL[h], at(60 * h + 7, START)) for h in range(10)]
    return posts + [post(f"c{n}", CHATTER[n % 6], at(12 * n, START)) for n in range(60)]


def storm_of_reposts() -> list[Any]:
    """One report that four hundred people pass on within the hour."""
    first = post("first", REPORTS[1], at(0))
    passed_on = [
        post(f"s{n}", REPORTS[1], at(1 + n / 8), kind="repost", repost_of="first")
        for n in range(300)
    ]
    old_style = [post(f"t{n}", f"RT @userfirst: {REPORTS[1]}", at(2 + n / 4)) for n in range(100)]
    return [first, *passed_on, *old_style]


def many(prefix: str, sentences: Sequence[str], count: int, every: float) -> list[Any]:
    """So many people, each in words of their own."""
    chance = random.Random(7)
    return [post(f"{prefix}{n}", varied(sentences, n, chance), at(n * every)) for n in range(count)]


def proposals(folder: Path, storm: list[Any]) -> list[dict[str, Any]]:
    """What is proposed when ten ordinary hours are followed by the storm."""
    (folder / "groundswell.toml").write_text(SETTINGS, encoding="utf-8")
    last = post("last", "nordwind, good night", at(90))
    run("replay", lines(folder / "posts.jsonl", [*ordinary(), *storm, last]), cwd=folder)
    return query("SELECT * FROM incidents WHERE is_proposed", folder / "groundswell.duckdb")


@pytest.mark.parametrize(
    "storm",
    [
        storm_of_reposts(),
        many("k", CLOSING, 150, 0.4),
        many("p", CAMPAIGN, 150, 0.4),
        [post(f"b{n}", f"nordwind is down down down {n}", at(n / 4), author={"id": f"b{n % 3}"})
         for n in range(120)],
    ],
    ids=["reposts", "a closing product", "a political campaign", "three loud accounts"],
)  # fmt: skip
def test_storms_raise_nothing(tmp_path: Path, storm: list[Any]) -> None:
    """However many posts come: where nobody tells of a failure, none is proposed."""
    assert proposals(tmp_path, storm) == []


def test_twelve_reports_where_one_is_usual(tmp_path: Path) -> None:
    """An hour with 12 reports after hours with one: proposed within 30 minutes of the first."""
    reports = [post(f"f{n}", REPORTS[n], at(5 * n)) for n in range(12)]
    (proposal,) = proposals(tmp_path, reports)
    opened = datetime.fromisoformat(proposal["opened_at"])
    assert STORM <= opened <= STORM + timedelta(minutes=30)
    assert proposal["track"] == "Nordwind"
    assert proposal["title"].startswith("Reports of ")
    assert proposal["witnesses"] >= 1
