import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import GiveUp
from pipeline.incidents import Book
from pipeline.model import Decision, Incident, Label, Link, Mention
from pipeline.steps.links import Linker
from pipeline.steps.text import prepare
from pipeline.steps.weights import FITTED, Weights

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def incident(**fields: Any) -> Incident:
    """An open incident of the track acme, about its checkout."""
    return Incident.model_validate(
        {
            "id": "acme:1",
            "title": "Checkout errors seen",
            "status": "investigating",
            "started_at": START,
            "at": START,
            "components": [{"name": "Checkout"}],
            "tracks": ["acme"],
        }
        | fields
    )


def mention(text: str, minute: float = 5, number: int = 1, **fields: Any) -> Mention:
    return Mention.model_validate(
        {
            "source": "test",
            "external_id": str(number),
            "text": text,
            "said_at": at(minute),
            "tracks": ["acme"],
        }
        | fields
    )


def update(body: str) -> dict[str, Any]:
    return {"body": body, "display_at": START}


def labels(**names: str) -> dict[str, Label]:
    return {head: Label(name=name, p=0.9, sure=True) for head, name in names.items()}


def linked(
    incidents: Sequence[Incident], post: Mention, *, as_of: bool = False, **names: str
) -> tuple[Link, ...]:
    book = Book(as_of=as_of)
    for record in incidents:
        book.put(record)
    return Linker(book).link([post], prepare([post]), [labels(**names)])[0]


def state(post: Mention, record: Incident | None = None, **names: str) -> str:
    links = linked([record or incident()], post, as_of=False, **names)
    return links[0].state if links else "none"


def test_a_fresh_report_that_names_the_component_is_linked() -> None:
    """A title of three words is enough, and the reasons can be read."""
    links = linked([incident()], mention("cart won't pay"), intent="report", component="Checkout")
    assert [(link.incident, link.state, link.by) for link in links] == [
        ("acme:1", "linked", "auto")
    ]
    reasons = {e.kind: e.value for e in links[0].evidence}
    assert reasons["component"] == "names Checkout"
    assert reasons["time"] == "5 min after the opening"
    assert reasons["track"] == "is about acme"
    assert links[0].incident_version == incident().version


def test_a_fresh_report_without_more_is_suggested() -> None:
    """Something of ours broke just as the incident opened: a person should see it."""
    assert state(mention("nothing works since ten minutes"), intent="report") == "suggested"
    assert state(mention("nothing works"), incident(components=[]), intent="report") == "suggested"


def test_a_report_about_another_component_is_not_linked() -> None:
    """Two things may break at once."""
    post = mention("my parcel is shown nowhere")
    assert state(post, intent="report", component="Tracking") == "none"


def test_a_post_that_names_both_components_is_about_the_incident_too() -> None:
    """The component's label is but the best guess among those a post names."""
    post = mention("parcel tracking broken and checkout as well")
    assert state(post, intent="report", component="Parcel tracking") == "linked"


@pytest.mark.parametrize("intent", ["praise", "other", "request"])
def test_chatter_of_the_track_is_not_linked(intent: str) -> None:
    """During an incident most posts about a company go on about something else."""
    assert state(mention("love the new colours of the app"), intent=intent) == "none"


def test_noise_is_not_linked_even_if_it_names_the_component() -> None:
    """Advertising rides on whatever people look for."""
    post = mention("win a voucher, checkout now!")
    assert state(post, intent="other", noise="yes", component="Checkout") == "none"


def test_a_report_long_after_the_opening_needs_more_than_the_track() -> None:
    """An incident that was forgotten open does not collect everything."""
    late = mention("nothing works", minute=3_000)
    assert state(late, intent="report") == "none"
    assert state(late, intent="report", component="Checkout") == "suggested"


@pytest.mark.parametrize(
    ("place", "expected"), [("Leeds", "linked"), ("York", "none"), ("Zone 7b", "suggested")]
)
def test_the_place_speaks_for_or_against(place: str, expected: str) -> None:
    """Elsewhere is against it, the same place for it, an unknown place neither."""
    record = incident(title="No signal", components=[], regions=["Leeds"])
    post = mention("nothing since this morning")
    assert state(post, record, intent="report", place=place) == expected


def test_an_incident_of_another_track_is_no_candidate() -> None:
    """However alike the words are."""
    post = mention("Checkout errors seen", tracks=["nordwind"])
    assert state(post, intent="report", component="Checkout") == "none"


def test_an_incident_of_another_track_is_no_rival() -> None:
    """A link is the same with and without it, for its own changes are not told to this track."""
    ours = incident(
        title="Checkout refuses cards", components=[], regions=["Porto"], opened_at=START
    )
    title = "Lockers in Porto refuse cards: turquoise marmalade, walrus and harpoon on screens"
    theirs = incident(id="nordwind:1", title=title, components=[], tracks=["nordwind"])
    said = "refuse cards in Porto, lockers show turquoise marmalade, walrus and harpoon on screens"
    post = mention(said, minute=600)
    alone = linked([ours], post, intent="report", place="Porto")
    assert alone
    beside = linked([ours, theirs], post, intent="report", place="Porto")
    assert [(link.incident, link.p) for link in beside] == [
        (link.incident, link.p) for link in alone
    ]


def test_an_incident_without_tracks_is_found_by_its_words() -> None:
    """Then the track says nothing, and only likeness can link."""
    record = incident(tracks=[], title="Flooding in Lower Brackwater", components=[])
    record_other = incident(id="acme:2", tracks=[], title="Fire at Nordhaven port", components=[])
    post = mention("water everywhere, flooding in Lower Brackwater #brackwater", tracks=[])
    links = linked([record, record_other], post, intent="other")
    assert [(link.incident, link.state) for link in links] == [("acme:1", "linked")]
    assert "brackwater" in next(e.value for e in links[0].evidence if e.kind == "text")
    assert linked([record, record_other], mention("what a lovely day", tracks=[])) == ()


def test_another_kind_of_event_in_the_same_place_is_no_certain_link() -> None:
    """Names of the place alone do not say that it is about the incident."""
    record = incident(tracks=[], title="Wildfire near Lower Brackwater", components=[])
    flood = mention("Lower Brackwater flooded again, cellars under water", tracks=[])
    fire = mention("wildfire near Lower Brackwater, flames close to the road", tracks=[])
    assert state(flood, record, intent="other") != "linked"
    assert state(fire, record, intent="other") == "linked"
    told = linked([record], fire, intent="other")[0].evidence
    assert "tells of the same: fire" in [reason.value for reason in told]


def test_a_post_that_shares_but_a_hashtag_is_only_suggested() -> None:
    """Everything rides on the hashtag of an event, jokes and advertising most of all."""
    record = incident(
        tracks=[], title="Brackwater flood", components=[], updates=[update("#BrackwaterFlood")]
    )
    assert state(mention("#BrackwaterFlood lol", tracks=[]), record) == "suggested"
    both = mention("#BrackwaterFlood the flood reached our street in Brackwater", tracks=[])
    assert state(both, record) == "linked"


def test_a_post_about_two_incidents_is_certain_of_neither() -> None:
    """However well each fits."""
    first = incident(tracks=[], title="Brackwater harbour flood", components=[])
    other = incident(id="acme:2", tracks=[], title="Nordhaven refinery fire", components=[])
    post = mention(
        "what a week: the Brackwater harbour flood and now the Nordhaven refinery fire", tracks=[]
    )
    assert state(post, first) == state(post, other) == "linked"
    links = linked([first, other], post)
    assert {link.incident for link in links} == {"acme:1", "acme:2"}
    assert {link.state for link in links} == {"suggested"}


def test_a_post_is_compared_with_the_closest_however_many_are_open() -> None:
    """And finds its own among hundreds that share a word with it."""
    crowd = [
        incident(id=f"acme:{n}", tracks=[], title=f"Turquoise lantern {n}", components=[])
        for n in range(300)
    ]
    record = incident(
        id="acme:own", tracks=[], title="Turquoise walrus harpoon fire", components=[]
    )
    post = mention("a fire at the turquoise walrus harpoon", tracks=[])
    assert linked([*crowd, record], post)[0].incident == "acme:own"


def test_the_track_s_own_name_in_the_title_is_no_likeness() -> None:
    """Every post of a track has the company's name."""
    record = incident(title="Acme: delayed parcels", components=[])
    assert state(mention("acme acme acme"), record, intent="other") == "none"


@pytest.mark.parametrize(
    ("minute", "expected"),
    [(-61, "none"), (-59, "linked"), (0, "linked"), (19, "linked"), (20, "none"), (40, "linked")],
)
def test_an_incident_takes_posts_while_it_is_open_and_an_hour_before(
    minute: float, expected: str
) -> None:
    """Closed at minute 20, opened again at minute 30."""
    history = [
        {"at": at(0), "status": "investigating"},
        {"at": at(20), "status": "resolved"},
        {"at": at(30), "status": "investigating"},
    ]
    post = mention("checkout errors seen again and again", minute=minute)
    record = incident(history=history)
    assert state(post, record, intent="report", component="Checkout") == expected


def test_a_post_before_the_opening_is_linked_late() -> None:
    """``started_at`` may lie before the moment at which the owner spoke."""
    record = incident(history=[{"at": at(9), "status": "investigating"}])
    links = linked([record], mention("checkout fails", minute=4), intent="report")
    assert [link.by for link in links] == ["late"]
    assert "5 min before the opening" in [e.value for e in links[0].evidence]


def test_as_of_a_mention_meets_the_record_of_its_time() -> None:
    """``enrich`` must not know at noon what was written down at one."""
    first = incident(components=[], title="Something is wrong", version=1)
    second = incident(at=at(60), version=2)
    links = linked(
        [first, second],
        mention("checkout fails", 50),
        as_of=True,
        intent="report",
        component="Checkout",
    )
    assert [link.incident_version for link in links] == [1]
    assert linked([second], mention("checkout fails", 50), as_of=True, intent="report") == ()


def test_a_proposal_takes_posts_like_an_official_incident_until_it_is_dismissed() -> None:
    """Its title carries the topic's words, its components may be known."""
    record = incident(id="groundswell:acme-20260301T1200", status="proposed")
    post = mention("checkout fails")
    book = Book()
    book.put(record)
    linker, given = Linker(book), [labels(intent="report", component="Checkout")]
    assert linker.link([post], prepare([post]), given)[0][0].incident == record.id
    book.decide(Decision(id="1", subject=record.id, verb="dismiss", by="ann", at=at(9)))
    assert linker.link([post], prepare([post]), given) == [()]
    assert linker.score_many([post], prepare([post]), given) == [[]]


POSTS = (
    "checkout is down",
    "cannot pay at checkout, errors all over",
    "is parcel tracking down for anyone?",
    "love it",
    "payments fail in Leeds #acme",
    "back again, thanks",
    "Störung im Warenkorb, Bezahlen geht nicht",
    "",
)
posts = st.builds(
    mention,
    st.sampled_from(POSTS),
    st.integers(-70, 200),
    tracks=st.sampled_from([["acme"], ["nordwind"], []]),
)
given_labels = st.builds(
    labels,
    intent=st.sampled_from(["report", "question", "praise", "other"]),
    noise=st.sampled_from(["yes", "no"]),
    component=st.sampled_from(["Checkout", "Parcel tracking", "Nothing known"]),
    place=st.sampled_from(["Leeds", "York"]),
)
records = st.builds(
    incident,
    id=st.sampled_from(["acme:1", "acme:2", "groundswell:acme-1"]),
    title=st.sampled_from(["Checkout errors", "Parcel tracking delayed", "Payments failing"]),
    components=st.sampled_from([[], [{"name": "Checkout"}], [{"name": "Parcel tracking"}]]),
    tracks=st.sampled_from([["acme"], []]),
    regions=st.sampled_from([[], ["Leeds"], ["UK"]]),
    status=st.sampled_from(["investigating", "resolved"]),
    resolved_at=st.sampled_from([None, at(60)]),
    version=st.integers(1, 5),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(posts, given_labels), max_size=6), st.lists(records, min_size=1, max_size=4)
)
def test_whoever_knows_the_same_says_the_same(
    batch: list[tuple[Mention, Mapping[str, Label]]], incidents: list[Incident]
) -> None:
    """In whatever order it was heard, and whatever else is in the batch."""
    mentions, own = [m for m, _ in batch], [given for _, given in batch]
    book, other = Book(), Book()
    for record in incidents:
        book.put(record)
    linker, other_linker = Linker(book), Linker(other)
    for record in reversed(incidents):
        other_linker.link(mentions, prepare(mentions), own)
        other.put(record)
    together = linker.link(mentions, prepare(mentions), own)
    one_by_one = [Linker(book).link([m], prepare([m]), [g])[0] for m, g in batch]
    assert together == one_by_one
    late = other_linker.score_many(mentions, prepare(mentions), own)
    assert [tuple(match.link() for match in some) for some in late] == together
    assert all(sum(link.p for link in links) <= 1.001 for links in together)


def test_the_weights_that_ship_speak_the_right_way() -> None:
    """What two texts share speaks for a link, another kind of event or another place against."""
    shipped = Weights()
    against = {"bias", "other_kind", "other_place_off_track"}
    for name, value in json.loads(FITTED.read_bytes()).items():
        assert getattr(shipped, name) == value
        assert (value <= 0) if name in against else (value >= 0), name


def test_weights_can_be_read_from_a_file(tmp_path: Path) -> None:
    """What the file leaves out keeps its default."""
    path = tmp_path / "links.json"
    path.write_text('{"bias": -5, "intent": {"report": 2}}')
    assert Weights.read(path).bias == -5
    assert Weights.read(path).intent == {"report": 2}
    assert Weights.read(path).link_from == Weights().link_from


@pytest.mark.parametrize("text", ["[]", '{"biass": 1}', '{"bias": {"a": 1}}', '{"intent": 1}', "{"])
def test_a_wrong_weights_file_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    """A misspelt name must not be ignored in silence."""
    path = tmp_path / "links.json"
    path.write_text(text)
    with pytest.raises(GiveUp, match=r"links\.json"):
        Weights.read(path)
