"""What the events of Bluesky's stream become: every field in its place, whatever clients write."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.bluesky import events
from pipeline.model import Mention
from tests.collectors.bluesky.reading import START, T0, source, values
from tests.servers.jetstream import Jetstream, commit, identity, jetstream


@pytest.fixture
def server() -> Iterator[Jetstream]:
    with jetstream() as speaker:
        yield speaker


def test_a_post_becomes_a_mention(server: Jetstream) -> None:
    """Every field finds its place; event_at is the platform's time, said_at the client's."""
    server.push(
        identity(1, T0 - 1, "kim.example"),
        commit(1, T0, "acme is down", createdAt="2026-03-02T08:59:58Z", langs=["de", "en"]),
    )
    [mention] = values(source(server), 1)
    assert mention == Mention(
        source="bluesky",
        external_id="did:plc:author1/post1",
        author={"id": "did:plc:author1", "handle": "kim.example"},
        text="acme is down",
        lang="de",
        said_at=START - timedelta(seconds=2),
        event_at=START,
        seen_at=START,
        url="https://bsky.app/profile/did:plc:author1/post/post1",
    )


def test_facets_count_bytes(server: Jetstream) -> None:
    """Mentions, tags and links come from facets, whose offsets count bytes of UTF-8."""
    text = "🔥🔥 größer: @acmehelp.example see shop.exam… #Acmedown"
    start = len(text[: text.index("@")].encode())
    facets = [
        {
            "index": {"byteStart": start, "byteEnd": start + len("@acmehelp.example")},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:help"}],
        },
        {
            "index": {"byteStart": 0, "byteEnd": 4},
            "features": [
                {"$type": "app.bsky.richtext.facet#link", "uri": "https://shop.example/acme"},
                {"$type": "app.bsky.richtext.facet#tag", "tag": "Acmedown"},
            ],
        },
    ]
    server.push(commit(1, T0, text, facets=facets, tags=["outage"]))
    [mention] = values(source(server), 1)
    assert mention.mentions == ("acmehelp.example",)
    assert mention.hashtags == ("Acmedown", "outage")
    assert mention.links == ("https://shop.example/acme",)


def test_replies_and_quotes_name_the_other_post(server: Jetstream) -> None:
    """They name it as its own mention is named, so that the two can be joined."""
    parent = {"uri": "at://did:plc:author1/app.bsky.feed.post/post1", "cid": "x"}
    embed = {"$type": "app.bsky.embed.record", "record": parent}
    server.push(
        commit(1, T0, "acme"),
        commit(2, T0 + 1, "me too", reply={"parent": parent, "root": parent}),
        commit(3, T0 + 2, "look", embed=embed),
        commit(4, T0 + 3, "with a picture", embed={"record": embed, "media": {}}),
    )
    first, reply, quote, pictured = values(source(server), 4)
    named = first.external_id
    assert (reply.kind, reply.reply_to, reply.thread) == ("reply", named, named)
    assert (quote.kind, quote.quote_of) == ("quote", first.external_id)
    assert (pictured.kind, pictured.quote_of) == ("quote", first.external_id)


@pytest.mark.parametrize(
    "created", ["1999-01-01T00:00:00Z", "2026-03-05T00:00:00Z", "soon", 7, None]
)
def test_an_absurd_time_of_the_client_is_not_believed(server: Jetstream, created: Any) -> None:
    """said_at falls back to the platform's time."""
    server.push(commit(1, T0, "acme", createdAt=created))
    [mention] = values(source(server), 1)
    assert mention.said_at == mention.event_at == START


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


FACET = st.fixed_dictionaries(
    {},
    optional={
        "index": st.dictionaries(st.sampled_from(["byteStart", "byteEnd"]), st.integers(-3, 40)),
        "features": st.lists(
            st.fixed_dictionaries(
                {"$type": st.sampled_from(["#mention", "#tag", "#link", "#new"])},
                optional={"did": JSON, "tag": JSON, "uri": JSON},
            )
        ),
    },
)


@given(text=st.text(max_size=20), facets=st.lists(FACET | JSON, max_size=4), embed=JSON, reply=JSON)
def test_no_record_breaks_the_mapping(text: str, facets: Any, embed: Any, reply: Any) -> None:
    """Whatever a client writes into a post, it becomes a mention."""
    event = commit(1, T0, text, facets=facets, embed=embed, reply=reply, tags=embed, langs=reply)
    seen = events.found(event["commit"]["record"])
    made = events.mention(event, seen, handle=None, tracks=(), now=START)
    assert made.external_id == "did:plc:author1/post1"
