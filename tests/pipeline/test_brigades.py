"""Brigades: what is said by many accounts, but not by many people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.brigades import FEW, Brigades
from pipeline.model import Author, Feedback, Mention, Repeat
from pipeline.tracks import Track

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TRACKS = [Track(name="nordwind", terms=("Nordwind", "Nord Wind"), hashtags=("#ruffled",))]


def report(number: int, text: str = "my parcels are stuck", **fields: Any) -> Feedback:
    """The report of author ``number``, a minute after the one before."""
    repeat = fields.pop("repeat", Repeat(group=f"x:{number}"))
    mention = Mention(
        source="x",
        external_id=str(number),
        text=text,
        said_at=NOON + timedelta(minutes=fields.pop("minute", number)),
        author=fields.pop("author", Author(id=f"a{number}")),
        **fields,
    )
    return Feedback(mention=mention, repeat=repeat, labels={}, model="1")


def counted(*reports: Feedback) -> int:
    """How many of the reports count."""
    brigades = Brigades(TRACKS)
    return sum(brigades.weigh(["nordwind"], each) is None for each in reports)


def account(number: int, *, days: float | None) -> Author:
    """An account that was made so many days before it reports."""
    at = NOON + timedelta(minutes=number)
    made = None if days is None else at - timedelta(days=days)
    return Author(id=f"a{number}", created_at=made)


def near(number: int, group: str = "x:0", **fields: Any) -> Feedback:
    return report(number, repeat=Repeat(kind="near", of="x:0", group=group), **fields)


def test_everybody_counts_who_writes_for_themselves() -> None:
    """Fifty originals are fifty witnesses."""
    assert counted(*(report(number) for number in range(50))) == 50


def test_of_variants_of_one_text_a_few_count() -> None:
    """The first author and a few more, not fifty accounts with the same words in another order."""
    assert counted(report(0), *(near(number) for number in range(1, 50))) == 1 + FEW


def test_variants_of_many_texts_all_count() -> None:
    """Two people may well say one thing in nearly the same words."""
    told = [each for n in range(0, 40, 2) for each in (report(n), near(n + 1, f"x:{n}"))]
    assert counted(*told) == 40


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("{} parcels, shame #LeaveNordwind", FEW),
        ("{} parcels are stuck #Nordwind #nordwind", 40),
        ("{} parcels are stuck #NordWindDown", 40),
        ("{} parcels are stuck #ruffled", 40),
    ],
)
def test_a_hashtag_of_a_campaign(text: str, number: int) -> None:
    """Names of the track and of its failure are free."""
    assert counted(*(report(n, text.format(n)) for n in range(40))) == number


def test_a_hashtag_that_some_use_is_no_campaign() -> None:
    """As long as others say the same without it."""
    told = [report(n, "stuck #delivery" if n % 2 else "stuck", minute=n // 2) for n in range(40)]
    assert counted(*told) == 40


def test_given_hashtags_are_known_too() -> None:
    """A platform may name them without writing them into the text."""
    assert counted(*(report(n, hashtags=("leavenordwind",)) for n in range(40))) == FEW


def test_a_campaign_is_forgotten_after_an_hour() -> None:
    """A hashtag that comes now and then is nothing to wonder at."""
    told = [report(n, f"{n} stuck #sigh", minute=n * 20) for n in range(200)]
    assert counted(*told) == 200


def test_a_report_that_comes_again_gets_its_answer_again() -> None:
    """A restart reads the topic once more."""
    told = [report(0), *(near(number) for number in range(1, 9))]
    brigades = Brigades(TRACKS)
    first = [brigades.weigh(["nordwind"], each) for each in told]
    assert [brigades.weigh(["nordwind"], each) for each in told] == first


def test_tracks_are_apart() -> None:
    """A brigade about one service takes nothing from the witnesses of another."""
    brigades = Brigades()
    told = [near(number) for number in range(9)]
    for track in ("nordwind", "acme"):
        assert sum(brigades.weigh([track], each) is None for each in told) == FEW


def test_a_brigade_about_one_track_is_enough() -> None:
    """A post that names two services witnesses for neither if it is a campaign against one."""
    brigades = Brigades(TRACKS)
    told = [report(n, f"{n} gone #LeaveNordwind") for n in range(9)]
    assert [brigades.weigh(["nordwind"], each) for each in told[:8]] == [None] * FEW + [
        "hashtag"
    ] * 4
    assert brigades.weigh(["acme", "nordwind"], told[8]) == "hashtag"


def test_new_accounts_in_a_row() -> None:
    """Forty accounts made this week, each with words of its own, are hardly forty people."""
    told = [report(n, author=account(n, days=n % 6)) for n in range(40)]
    assert counted(*told) == FEW
    assert Brigades().weigh(["nordwind"], told[0]) is None


def test_new_accounts_among_old_ones() -> None:
    """In a failure people join to complain; the same is said by others, too."""
    told = [report(n, author=account(n, days=2 if n % 3 == 0 else 900)) for n in range(60)]
    assert counted(*told) == 60


def test_accounts_of_unknown_age_are_not_new() -> None:
    """Most platforms do not tell; and a clock that is wrong makes nobody new for ever."""
    assert counted(*(report(n, author=account(n, days=None)) for n in range(40))) == 40
    assert counted(*(report(n, author=account(n, days=7)) for n in range(40))) == 40


def test_what_is_past_is_forgotten() -> None:
    """Years of reports leave nothing behind but the last days."""
    brigades = Brigades()
    for number in range(5_000):
        brigades.weigh(["nordwind"], near(number, f"x:{number}", minute=number * 60))
    assert len(brigades._variants._said) < 2_000
