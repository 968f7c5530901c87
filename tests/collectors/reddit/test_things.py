"""Reddit's submissions and comments as mentions."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.reddit.things import fate, mention
from pipeline.errors import SetAside
from pipeline.model import Mention

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SAID = 1_772_440_000.0


def submission(**more: Any) -> dict[str, Any]:
    told = {
        "name": "t3_1a",
        "title": "Acme is down",
        "selftext": "since noon",
        "author": "alice",
        "author_fullname": "t2_al",
        "created_utc": SAID,
        "edited": False,
        "subreddit": "acme",
        "permalink": "/r/acme/comments/1a/acme_is_down/",
        "is_self": True,
        "score": 4,
        "num_comments": 2,
    }
    return {"kind": "t3", "data": told | more}


def comment(**more: Any) -> dict[str, Any]:
    told = {
        "name": "t1_2b",
        "body": "same here, /u/AcmeHelp and u/acmehelp, not foo/u/bar",
        "author": "bob",
        "author_fullname": "t2_bo",
        "created_utc": SAID,
        "edited": False,
        "parent_id": "t1_2a",
        "link_id": "t3_1a",
        "permalink": "/r/acme/comments/1a/acme_is_down/2b/",
    }
    return {"kind": "t1", "data": told | more}


def read(thing: Any) -> Mention:
    return mention(thing, NOW)


def test_a_submission() -> None:
    """Title and text, author, address, counts."""
    found = read(submission())
    assert (found.id, found.kind) == ("reddit:t3_1a", "post")
    assert found.text == "Acme is down\n\nsince noon"
    assert (found.author_id, found.author.handle) == ("reddit:t2_al", "alice")
    assert found.url == "https://www.reddit.com/r/acme/comments/1a/acme_is_down/"
    assert found.said_at.timestamp() == SAID
    assert found.engagement == {"score": 4.0, "replies": 2.0}
    assert (found.version, found.links) == (0, ())


def test_a_link_and_media_only() -> None:
    """The link is told; a picture without words has its title."""
    found = read(submission(is_self=False, selftext="", url="https://acme.example/status"))
    assert (found.text, found.links) == ("Acme is down", ("https://acme.example/status",))
    assert read(submission(is_self=False, selftext="", url="javascript:x")).links == ()
    assert read(submission(title="", selftext="")).text == ""


def test_a_comment() -> None:
    """Parent and thread by their names, handles as they are written here."""
    found = read(comment())
    assert (found.kind, found.reply_to, found.thread) == ("comment", "t1_2a", "t3_1a")
    assert found.mentions == ("AcmeHelp", "acmehelp")


def test_a_cross_post_is_a_repost_unless_it_says_something() -> None:
    """Its own title makes it a quote; of a post that was deleted nothing is repeated."""
    inner = {"title": "Acme is down", "selftext": "since noon", "author": "carol"}
    shared = {"crosspost_parent": "t3_09", "crosspost_parent_list": [inner], "selftext": ""}
    same = read(submission(**shared))
    assert (same.kind, same.repost_of, same.quote_of) == ("repost", "t3_09", None)
    assert same.text == "Acme is down\n\nsince noon"
    own = read(submission(**shared, title="They did it again"))
    assert (own.kind, own.repost_of, own.quote_of) == ("quote", None, "t3_09")
    assert own.text == "They did it again"
    gone = shared | {"crosspost_parent_list": [inner | {"selftext": "[deleted]"}]}
    assert read(submission(**gone)).text == "Acme is down"
    assert read(submission(**shared | {"crosspost_parent_list": []})).kind == "quote"


def test_an_edit_has_its_time_as_version() -> None:
    """Very old posts say only that they were edited."""
    assert read(comment(edited=SAID + 9)).version == int((SAID + 9) * 1_000)
    assert read(comment(edited=True)).version == 0


@pytest.mark.parametrize(
    ("thing", "became"),
    [
        (submission(), "here"),
        (comment(), "here"),
        (submission(selftext="[deleted]", author="[deleted]"), "erased"),
        (submission(selftext="", author="[deleted]"), "erased"),
        (submission(selftext="", author=None), "erased"),
        (submission(selftext="[removed]"), "hidden"),
        (submission(selftext="", removed_by_category="moderator"), "hidden"),
        (submission(removed_by_category="reddit"), "hidden"),
        (submission(selftext="[removed]", removed_by_category="copyright_takedown"), "erased"),
        (submission(selftext="[removed]", removed_by_category="deleted"), "erased"),
        (comment(body="[deleted]", author="[deleted]"), "erased"),
        (comment(body="[removed]", author="[deleted]"), "hidden"),
        (comment(author="[deleted]"), "erased"),
    ],
)
def test_what_became_of_a_thing(thing: Any, became: str) -> None:
    """As Reddit shows each kind of removal."""
    assert fate(thing) == became


@pytest.mark.parametrize(
    "thing", [None, {}, {"data": 7}, submission(name="t5_1"), submission(created_utc="now")]
)
def test_what_is_no_thing_is_set_aside(thing: Any) -> None:
    """With a reason that does not quote it."""
    with pytest.raises(SetAside):
        read(thing)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(submission()["data"] | comment()["data"])), JSON, st.booleans())
def test_any_field_may_be_anything(field: str, value: Any, is_comment: bool) -> None:
    """It is a mention or set aside, never another error."""
    thing = comment(**{field: value}) if is_comment else submission(**{field: value})
    fate(thing)
    with suppress(SetAside):
        assert read(thing).source == "reddit"
