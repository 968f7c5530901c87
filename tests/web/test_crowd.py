"""The crowd beside the official word: what the API tells, and in which words."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pipeline.model import Campaign, Evidence, Feedback, Incident, Label, StatusAt
from pipeline.ports import Rows
from tests.web.scene import OFFICIAL, PROPOSAL, Page, feedback, official, proposal, running
from web.crowd import clock, told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with running(tmp_path) as page:
        yield page


def crowd(page: Page, key: str = OFFICIAL) -> dict[str, Any]:
    """What the API tells of the crowd on an incident."""
    answer = httpx.get(f"{page.url}/api/incidents/{quote(key, safe='')}").raise_for_status()
    found: dict[str, Any] = answer.json()["crowd"]
    return found


def ended(at: datetime) -> Incident:
    """The official incident, opened at noon and resolved."""
    steps = (StatusAt(at=NOON, status="investigating"), StatusAt(at=at, status="resolved"))
    return official(NOON, status="resolved", resolved_at=at, history=steps, at=at)


def reports(count: int, at: datetime, text: str, **more: Any) -> list[Feedback]:
    """So many people, a minute apart."""
    return [
        feedback(f"{text} number {n}", handle=f"u{n}", at=at + timedelta(minutes=n), **more)
        for n in range(count)
    ]


def claiming(word: Feedback, claim: str) -> Feedback:
    reason = Evidence(kind=claim, value="got hacked", weight=0.6)
    label = Label(name=claim, p=0.6, sure=False, evidence=(reason,))
    return word.model_copy(update={"labels": word.labels | {"claim": label}})


def test_conflicting_claims_side_by_side(page: Page) -> None:
    """Official says resolved, many say still broken, some say it works: all three are told."""
    end = NOON + timedelta(minutes=122)
    page.write(
        ended(end),
        *reports(5, NOON, "cannot pay", incident=OFFICIAL),
        *reports(23, end + timedelta(minutes=1), "still cannot pay"),
        *reports(4, end + timedelta(minutes=1), "works again", intent="recovery"),
    )
    found = crowd(page)
    assert found["words"] == (
        "Official: resolved 1 Mar 2026 14:02 UTC. 23 people reported it still broken since; "
        "4 say it works again."
    )
    assert found["stance"] == "contradicts"
    assert [side["who"] for side in found["sides"]] == ["official", "crowd", "crowd"]
    assert [hour["stance"] for hour in found["hours"]] == ["agrees", "contradicts"]


def test_rumours_are_told_as_rumours(page: Page) -> None:
    """Who claims what since when, and that no official word says so."""
    page.write(
        official(NOON),
        *(claiming(word, "data_leaked") for word in reports(3, NOON, "was it a data leak?")),
    )
    (rumour,) = crowd(page)["rumours"]
    assert rumour["words"] == (
        "3 people claim “data leaked”, first 1 Mar 2026 12:00 UTC; no official word says so."
    )
    assert rumour["witnesses"] == 3


def test_what_the_official_word_leaves_out(page: Page) -> None:
    """Places and parts that people name and the official word does not."""
    page.write(
        official(NOON), *reports(3, NOON, "cannot log in", incident=OFFICIAL, component="App")
    )
    found = crowd(page)
    assert found["stance"] == "contradicts"
    assert found["notes"] == ["Reports are about App, which the official word does not name."]


def test_voices_can_be_read_aloud(page: Page) -> None:
    """A few posts, none with accounts, links or coarse words."""
    page.write(
        proposal(NOON),
        feedback("@acme the till takes no cards since ten", incident=PROPOSAL),
        feedback("shit, my card is refused in every shop", incident=PROPOSAL),
        feedback("paying by phone fails https://x.example/1", incident=PROPOSAL, handle="bo"),
    )
    words = {voice["words"] for voice in crowd(page, PROPOSAL)["voices"]}
    assert words == {"the till takes no cards since ten", "paying by phone fails"}


def test_voices_beside_still_broken_were_heard_since(page: Page) -> None:
    """What people said before the end must not speak for those who say that it goes on."""
    end = NOON + timedelta(minutes=60)
    page.write(
        ended(end),
        feedback("I cannot pay by card in any shop", incident=OFFICIAL, at=NOON),
        feedback("still no card payments in our shop", at=end + timedelta(minutes=5)),
    )
    assert [v["words"] for v in crowd(page)["voices"]] == ["still no card payments in our shop"]


def test_a_campaign_shows_on_its_posts_and_in_the_sum(page: Page) -> None:
    """Each post says why it was set aside, the incident how many; its witnesses are the others."""
    words = reports(5, NOON, "cannot pay here", incident=OFFICIAL)
    aside = [Campaign(mention=word.mention.id, kind="hashtag") for word in words[2:]]
    page.write(official(NOON), *words)
    page.warehouse.write(Rows(campaigns=aside), NOON)
    answer = httpx.get(f"{page.url}/api/incidents/{quote(OFFICIAL, safe='')}").json()
    assert answer["incident"]["witnesses"] == 2
    assert [post["campaign"] for post in answer["posts"]].count("hashtag") == 3
    (note,) = answer["crowd"]["notes"]
    assert note == (
        "Set aside as a campaign: 3 posts by 3 accounts, nearly all behind one hashtag. "
        "They are no witnesses."
    )


def test_the_crowd_counts_as_the_incident_does(page: Page) -> None:
    """Two numbers for one thing on one page would be one too many."""
    page.write(
        proposal(NOON, witnesses=9),
        *reports(3, NOON, "cannot pay here", incident=PROPOSAL),
        *reports(2, NOON, "no card taken", incident=PROPOSAL, state="suggested"),
    )
    address = f"{page.url}/api/incidents/{quote(PROPOSAL, safe='')}"
    found = httpx.get(address).raise_for_status().json()
    assert found["incident"]["witnesses"] == 9
    assert found["crowd"]["sides"][1]["people"] == 9


def test_campaigns_and_other_providers_are_told_in_words() -> None:
    """How many posts of how many accounts were set aside and why; and where else it happens."""
    row = {"status": "monitoring", "is_proposed": False, "opened_at": NOON, "history": None}
    hour = {
        "hour": NOON,
        "stance": "elsewhere",
        "witnesses": 4,
        "recovered": 0,
        "still_broken": 0,
        "normal": 0,
        "unnamed_regions": [],
        "unnamed_components": [],
        "recovered_in_all": 0,
        "other_tracks": ["fernwick", "nordwind"],
        "other_official": ["nordwind"],
    }
    campaigns = [
        {"kind": "variants", "posts": 40, "accounts": 38},
        {"kind": "new_accounts", "posts": 1, "accounts": 1},
    ]
    found = told(row | {"witnesses": 4}, [hour], [], [], NOON, campaigns)
    assert found["notes"] == [
        (
            "The same is reported of fernwick and nordwind at the same time: it may be another "
            "provider's fault."
        ),
        "There are official incidents of nordwind, too.",
        (
            "Set aside as a campaign: 40 posts by 38 accounts, all in nearly the same words. "
            "They are no witnesses."
        ),
        (
            "Set aside as a campaign: 1 post by 1 account, all made less than a week before. "
            "They are no witnesses."
        ),
    ]
    assert found["sides"][1]["people"] == 4


def test_before_anybody_official_speaks(page: Page) -> None:
    """A proposal says that nothing official was said."""
    page.write(proposal(NOON), feedback("cannot pay here", at=NOON, incident=PROPOSAL))
    found = crowd(page, PROPOSAL)
    assert found["words"] == "Official: nothing said yet. 1 person reported it broken."
    assert found["stance"] == "ahead"


def test_an_incident_nobody_speaks_of() -> None:
    """No hours, no stance, no crowd."""
    row = {"status": "monitoring", "is_proposed": False, "opened_at": NOON, "history": None}
    found = told(row, [], [], [], NOON + timedelta(hours=1))
    assert (found["stance"], found["words"]) == (None, "Official: monitoring since 12:00 UTC.")


def test_the_day_is_told_when_it_is_another() -> None:
    """A bare time of day is one of the last hours."""
    assert clock(NOON, NOON + timedelta(hours=17)) == "12:00 UTC"
    assert clock(NOON, NOON + timedelta(hours=19)) == "1 Mar 2026 12:00 UTC"
