from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.incidents import EVER, Book
from pipeline.model import Decision, Incident, Verb
from pipeline.values import to_ms

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def incident(
    key: str = "acme:1", minute: int = 0, version: int = 1, title: str = "Checkout errors"
) -> Incident:
    at = START + timedelta(minutes=minute)
    return Incident.model_validate(
        {
            "id": key,
            "title": title,
            "status": "investigating",
            "started_at": START,
            "at": at,
            "version": version,
        }
    )


def decision(
    subject: str, verb: Verb, value: str = "", minute: int = 0, key: str = "d"
) -> Decision:
    at = START + timedelta(minutes=minute)
    return Decision(id=key, subject=subject, verb=verb, value=value, by="ann", at=at)


ids = st.sampled_from(["acme:1", "acme:2", "groundswell:shop-1", "groundswell:shop-2"])
records = st.builds(
    incident, ids, st.integers(0, 4), st.integers(1, 4), st.sampled_from(["One", "Two"])
)
decisions = st.builds(
    decision,
    ids,
    st.sampled_from(["accept", "dismiss", "merge"]),
    st.sampled_from(["acme:1", "groundswell:shop-1", "groundswell:shop-2"]),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
)


def unique(words: list[Incident | Decision]) -> list[Incident | Decision]:
    """A client's decision id stands for one decision: later ones of that key are left out."""
    seen: set[tuple[object, ...]] = set()
    kept: list[Incident | Decision] = []
    for word in words:
        key = (word.subject, word.id, word.at) if isinstance(word, Decision) else (id(word),)
        if key not in seen:
            seen.add(key)
            kept.append(word)
    return kept


def filled(words: list[Incident | Decision], as_of: bool) -> Book:
    book = Book(as_of=as_of)
    for word in words:
        if isinstance(word, Incident):
            book.put(word)
        else:
            book.decide(word)
    return book


@given(
    st.lists(st.one_of(records, decisions), max_size=14).map(unique),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_any_order_of_records_and_decisions_gives_the_same_book(
    words: list[Incident | Decision], random: Random, as_of: bool
) -> None:
    """Brokers promise no order between topics, and every record may come twice."""
    shuffled = words * 2
    random.shuffle(shuffled)
    one, two = filled(words, as_of), filled(shuffled, as_of)
    assert one.all() == two.all()
    assert one.standing() == two.standing()
    assert [one.resolve(i.id) for i in one.all()] == [two.resolve(i.id) for i in two.all()]


def test_an_older_version_changes_nothing() -> None:
    """A late record must not bring back what was already corrected; the version stays still."""
    book = Book()
    assert book.put(incident(version=5, title="New"))
    seen = book.version
    assert not book.put(incident(version=4, title="Old"))
    assert not book.put(incident(version=5, title="New"))
    held = book.get("acme:1")
    assert held is not None
    assert (held.title, book.version) == ("New", seen)


def test_a_dismissed_proposal_takes_no_posts_until_it_is_accepted() -> None:
    """The last word counts, wherever it stands in the order of arrival."""
    book = Book()
    book.decide(decision("groundswell:shop-1", "accept", minute=2))
    book.decide(decision("groundswell:shop-1", "dismiss", minute=1))
    book.put(incident("groundswell:shop-1"))
    assert book.takes_posts("groundswell:shop-1")
    book.decide(decision("groundswell:shop-1", "dismiss", minute=3))
    assert book.standing() == []
    assert [i.id for i in book.all()] == ["groundswell:shop-1"]


def test_a_merge_is_an_alias_and_takes_no_posts() -> None:
    """A proposal merged into an official incident leaves the posts to it, over several steps."""
    book = Book()
    for key in ("acme:1", "groundswell:a", "groundswell:b"):
        book.put(incident(key))
    book.decide(decision("groundswell:b", "merge", "groundswell:a"))
    book.decide(decision("groundswell:a", "merge", "acme:1"))
    assert book.resolve("groundswell:b") == "acme:1"
    assert [s.incident.id for s in book.standing()] == ["acme:1"]


def test_what_other_tools_tell_counts_for_the_incident_that_stands() -> None:
    """It is open from when the first of them was, under their words too; its end is its own."""
    book = Book()
    told = {"title": "Card payments fail", "status": "resolved", "components": [{"name": "Cards"}]}
    said = {"body": "The processor is slow.", "display_at": START + timedelta(minutes=3)}
    part = Incident.model_validate(
        {"id": "pagerduty:1", "started_at": START, "at": START, "updates": [said], **told}
    )
    book.put(incident("acme:1", minute=9))
    book.put(part)
    assert book.whole("acme:1") is book.get("acme:1")
    book.decide(decision("pagerduty:1", "merge", "acme:1"))
    [standing] = book.standing()
    whole = standing.incident
    assert whole is book.whole("acme:1") is book.standing()[0].incident
    assert (whole.id, whole.title, whole.status) == ("acme:1", "Checkout errors", "investigating")
    assert whole.opened_at == START
    assert [update.body for update in whole.updates] == [
        "Card payments fail", "The processor is slow.",
    ]  # fmt: skip
    assert [component.name for component in whole.components] == ["Cards"]
    book.decide(decision("pagerduty:1", "accept", minute=1))
    assert book.whole("acme:1") is book.get("acme:1")
    assert len(book.standing()) == 2


def test_a_proposal_adds_no_words_to_what_it_became() -> None:
    """They are ours, not its owner's."""
    book = Book()
    book.put(incident("acme:1"))
    book.put(incident("groundswell:a"))
    book.decide(decision("groundswell:a", "merge", "acme:1"))
    assert book.standing()[0].incident is book.get("acme:1")


def test_a_circle_of_merges_does_not_hang() -> None:
    """Two people may merge both ways; then each incident stands for itself."""
    book = Book()
    for key, other in (("groundswell:a", "groundswell:b"), ("groundswell:b", "groundswell:a")):
        book.put(incident(key))
        book.decide(decision(key, "merge", other))
    assert book.resolve("groundswell:a") == "groundswell:a"
    assert len(book.standing()) == 2


def test_as_of_keeps_each_record_for_its_own_time() -> None:
    """A mention meets the newest record whose ``at`` is not after it."""
    book = Book(as_of=True)
    book.put(incident(minute=9, version=2, title="Second"))
    book.put(incident(minute=0, version=1, title="First"))
    spans = [(s.incident.title, s.from_ms, s.until_ms) for s in book.standing()]
    zero, nine = to_ms(START), to_ms(START + timedelta(minutes=9))
    assert spans == [("First", zero, nine), ("Second", nine, EVER)]


def test_decisions_about_mentions_do_not_touch_the_book() -> None:
    """Relabel, link and unlink are kept in the warehouse, not here."""
    book = Book()
    assert not book.decide(decision("recorded:7", "link", "acme:1"))
    assert book.version == 0
