"""The demo's scenario: the same every time, labelled, about 2,000 posts, and all of it invented."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from config.demo import generator
from config.demo.generator import LENGTH, QUIET, Scenario
from config.demo.texts import scenario, sections
from pipeline.decoding import read, read_post
from pipeline.masking import masked
from pipeline.model import Incident, Mention, Removal
from pipeline.tracks import Matcher, Track

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: Companies and products that a scenario may slip into; none of them may stand in it.
REAL = frozenset(
    [
        "whatsapp",
        "twitter",
        "facebook",
        "instagram",
        "tiktok",
        "telegram",
        "google",
        "apple",
        "iphone",
        "android",
        "amazon",
        "ebay",
        "ikea",
        "microsoft",
        "bbc",
        "vodafone",
        "o2",
        "spotify",
        "netflix",
        "uber",
    ]
)


@pytest.fixture(scope="module")
def made() -> Scenario:
    return generator.generate(START)


def mentions(made: Scenario) -> list[Mention]:
    return [post for post in made.posts if isinstance(post, Mention)]


def test_the_same_start_gives_the_same_bytes(tmp_path: Path) -> None:
    """Tests and people see the same demo."""
    one = generator.write(tmp_path / "one", START)
    other = generator.write(tmp_path / "other", START)
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in other]


def test_another_start_moves_everything_alike(made: Scenario) -> None:
    """The demo is made for the time it is run; only times, and ids made of them, differ."""
    later = generator.generate(START + timedelta(days=200))
    assert [p.event_at - START for p in made.posts] == [
        p.event_at - START - timedelta(days=200) for p in later.posts
    ]
    assert [p.text for p in mentions(made)] == [p.text for p in mentions(later)]


def test_files_hold_valid_words(tmp_path: Path, made: Scenario) -> None:
    """Every line can be read back as what was made."""
    posts, incidents, truth = generator.write(tmp_path, START)
    assert [read_post(line) for line in posts.read_bytes().splitlines()] == made.posts
    records = [read(Incident, line) for line in incidents.read_bytes().splitlines()]
    assert records == made.incidents
    told = [orjson.loads(line) for line in truth.read_bytes().splitlines()]
    assert [one["id"] for one in told] == [one.id for one in made.truth]


def test_the_command_writes_three_files(tmp_path: Path) -> None:
    """``python -m config.demo.generator`` is how a reader gets the scenario as files."""
    generator.main(["--out", str(tmp_path), "--start", "2026-03-02T09:00:00Z"])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "incidents.jsonl", "mentions.jsonl", "truth.jsonl"
    ]  # fmt: skip


def test_about_two_thousand_posts_each_with_its_truth(made: Scenario) -> None:
    """One truth for each id, and a post for each truth; edits share the id of their post."""
    posts = mentions(made)
    assert 1_900 <= len(posts) <= 2_100
    first_versions = [post.id for post in posts if post.version == 0]
    assert Counter(first_versions) == Counter(one.id for one in made.truth)
    assert max(Counter(first_versions).values()) == 1
    groups = {one.group for one in made.truth}
    assert groups <= set(first_versions)


def test_posts_stand_in_the_order_of_their_time(made: Scenario) -> None:
    """Within the two hours, and nothing about the failure before its first report."""
    times = [post.event_at for post in made.posts]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] <= START + LENGTH
    about = {one.id for one in made.truth if one.incident}
    assert min(p.event_at for p in mentions(made) if p.id in about) == made.first_report
    assert made.first_report > START + QUIET


def test_the_official_word_comes_nine_minutes_after_the_first_report(made: Scenario) -> None:
    """Then updates, to the end; at first its owner does not know when it began."""
    opening = made.incidents[0]
    assert opening.at == opening.opened_at == made.first_report + timedelta(minutes=9)
    assert [record.status for record in made.incidents] == [
        "investigating", "identified", "monitoring", "resolved"
    ]  # fmt: skip
    assert all(record.at_time(record.at) == record for record in made.incidents)
    assert [r.version for r in made.incidents] == sorted({r.version for r in made.incidents})
    assert opening.components[0].name in {
        component["name"] for track in scenario()["track"] for component in track["component"]
    }
    assert made.incidents[1].started_at < made.first_report < opening.started_at


def test_every_kind_and_phase_is_there(made: Scenario) -> None:
    """Reports before the opening, guesses, jokes, other languages, late troubles, recovery."""
    opened, resolved = made.incidents[0].at, made.incidents[-1].at
    at = {post.id: post.event_at for post in mentions(made)}
    early = [t for t in made.truth if t.incident and t.kind == "report" and at[t.id] < opened]
    assert len({t.group for t in early}) >= 10
    still = [t for t in made.truth if t.phase == "after" and t.kind == "report"]
    assert len(still) >= 20
    assert all(at[t.id] > resolved for t in still)
    kinds = Counter(t.kind for t in made.truth)
    for kind in ("report", "question", "guess", "complaint", "praise", "joke", "recovery", "spam"):
        assert kinds[kind] >= 20, kind
    assert {"en", "de", "es", "fr", "pt"} == {t.lang for t in made.truth}
    quiet = [t for t in made.truth if t.phase == "quiet"]
    assert 200 <= len(quiet) <= 300
    assert not any(t.incident for t in quiet)


def test_the_storm_is_loud_and_about_politics(made: Scenario) -> None:
    """Several hundred reposts by few accounts; none of them reports anything."""
    storm = {t.id: t for t in made.truth if t.phase == "storm"}
    assert sum(t.repeat == "repost" for t in storm.values()) >= 300
    assert {t.kind for t in storm.values()} == {"politics", "spam"}
    assert not any(t.incident for t in storm.values())
    authors = {p.author_id for p in mentions(made) if p.id in storm}
    assert len(authors) < len(storm) / 2


def test_reposts_and_copies_are_what_they_say(made: Scenario) -> None:
    """A repost names a post of its platform; repost and copy have its words, near ones almost."""
    text = {post.id: post.text for post in mentions(made) if post.version == 0}
    by_id = {post.id: post for post in mentions(made) if post.version == 0}
    assert {t.repeat for t in made.truth} == {"original", "repost", "quote", "copy", "near"}
    for one in made.truth:
        if one.repeat in {"repost", "copy"}:
            assert text[one.id] == text[one.group]
        if one.repeat == "repost":
            assert f"{by_id[one.id].source}:{by_id[one.id].repost_of}" == one.group
            assert by_id[one.id].kind == "repost"
        if one.repeat == "original":
            assert one.group == one.id


def test_edits_and_removals(made: Scenario) -> None:
    """A few posts are edited, two are deleted and one account goes, after what they posted."""
    assert sum(post.version > 0 for post in mentions(made)) == 8
    removals = [post for post in made.posts if isinstance(post, Removal)]
    assert sorted(r.scope or "" for r in removals) == ["author", "mention", "mention"]
    gone = {t.id for t in made.truth if t.removed}
    for removal in removals:
        concerned = [p for p in mentions(made) if removal.removal in {p.id, p.author_id}]
        assert concerned
        assert {p.id for p in concerned} <= gone
        assert all(p.event_at < removal.at for p in concerned)


def test_the_tracks_find_every_post(made: Scenario) -> None:
    """The demo drops nothing at the door: each post names the company."""
    matcher = Matcher([Track.model_validate(track) for track in scenario()["track"]])
    assert [p.text for p in mentions(made) if matcher.match(p) != ("fernwick",)] == []


def test_private_numbers_show_masking(made: Scenario) -> None:
    """Two people post a number or an address that must not be kept; nobody else is masked."""
    hidden = {p.text: masked(p.text) for p in mentions(made) if masked(p.text) != p.text}
    kinds = {kind for left in hidden.values() for kind in re.findall(r"\[(phone|email)\]", left)}
    assert kinds == {"phone", "email"}
    assert len(hidden) == 2


def test_nobody_real_is_named(made: Scenario) -> None:
    """Neither companies nor people; links lead to names that cannot exist."""
    texts = [text for file in ("quiet", "failure", "storm", "parts")
             for section in sections(file).values() for text in section.values()]  # fmt: skip
    everything = " ".join([*texts, *(record.title for record in made.incidents)]).casefold()
    assert set(re.findall(r"\w+", everything)) & REAL == set()
    links = {link for post in mentions(made) for link in (*post.links, post.url or "")}
    assert all(re.match(r"https://[\w-]+\.example/", link) for link in links)


def test_hundreds_of_texts_are_distinct(made: Scenario) -> None:
    """The baseline is no chorus: most of what is original is said only once."""
    originals = {t.id for t in made.truth if t.repeat == "original"}
    texts = [p.text for p in mentions(made) if p.id in originals and p.version == 0]
    assert len(set(texts)) > 0.97 * len(texts) > 800
