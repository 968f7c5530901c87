"""Status pages over a local server: every change once, whatever the page answers in between."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.incidents.kit.names import Names
from collectors.incidents.statuspage import answers
from collectors.incidents.statuspage.source import Statuspage
from pipeline.clock import ManualClock
from pipeline.errors import SetAside, TryLater
from pipeline.model import Coverage, Incident, StatusAt
from pipeline.ports import Unreadable
from tests.contracts.collector import CollectorContract, OpenSource
from tests.contracts.listening import Stage
from tests.contracts.platform import PlatformContract
from tests.servers.platform import served
from tests.servers.statuspage import Page, Pages, incident, status_page

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def page() -> Iterator[Page]:
    with status_page() as running:
        yield running


def at(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00Z"


def source(page: Page, **more: Any) -> Statuspage:
    return Statuspage("acme-status", ManualClock(START), page.url, **more)


class Listener:
    """Reads a source look by look at the page."""

    def __init__(self, made: Statuspage, cursor: str | None = None) -> None:
        self.cursor = cursor
        self._items = made.items(cursor, threading.Event())
        self._quiet = 0

    def round(self) -> list[Any]:
        """What the next look at the page brings, coverage left out."""
        return [value for value in self.everything() if not isinstance(value, Coverage)]

    def everything(self) -> list[Any]:
        """What the next look at the page brings, up to the first quiet moment after it."""
        came = []
        for item in self._items:
            self.cursor = item.cursor
            if item.value is not None:
                came.append(item.value)
                continue
            # A minute has 60 quiet moments of a second each, the first one right after the look.
            self._quiet += 1
            if self._quiet % 60 == 1:
                break
        return came


class TestContract(CollectorContract):
    """A status page keeps the contract of collectors."""

    @pytest.fixture
    def open_source(self, page: Page) -> OpenSource:
        page.show(
            incident("b", ("investigating", at(5)), ("resolved", at(9))),
            incident("a", ("investigating", at(1)), ("identified", at(3))),
            incident("c", ("investigating", at(20)), name=None),
            incident("d", ("investigating", at(7))),
        )
        return lambda: source(page)

    @pytest.fixture
    def words(self) -> int:
        return 4


class TestPlatform(PlatformContract):
    """A status page keeps the contract of platforms, too."""

    kind = "statuspage"

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        clock = ManualClock(START)
        with served(Pages()) as running:
            pages = running

            def post(number: int, at: datetime) -> None:
                told = incident(f"n{number}", ("investigating", at.isoformat()))
                pages.put(told | {"name": f"Acme is down post {number}"})

            yield Stage(
                pages,
                clock,
                post,
                lambda: Statuspage("acme-status", clock, pages.url),
                page=10,
                spoil=lambda number: pages.put(pages.incidents[f"n{number}"] | {"name": None}),
            )


def report(number: str, minute: int, *updates: str, **more: Any) -> list[dict[str, Any]]:
    """A report of Better Stack, with its updates and what it is about."""
    said = [
        {
            "id": f"{number}-{position}",
            "type": "status_update",
            "attributes": {
                "message": body,
                "published_at": at(minute + position),
                "affected_resources": [{"status_page_resource_id": "9", "status": "downtime"}],
            },
        }
        for position, body in enumerate(updates)
    ]
    told = {
        "title": f"Report {number}",
        "report_type": "manual",
        "starts_at": at(minute),
        "ends_at": None,
        "aggregate_state": "downtime",
        "affected_resources": [{"status_page_resource_id": "9", "status": "downtime"}],
    }
    references = [{"id": one["id"], "type": "status_update"} for one in said]
    return [
        {
            "id": number,
            "type": "status_report",
            "attributes": told | more,
            "relationships": {"status_updates": {"data": references}},
        },
        {"id": "9", "type": "status_page_resource", "attributes": {"public_name": "Checkout"}},
        *said,
    ]


def test_a_page_of_better_stack(page: Page) -> None:
    """Reports with their updates, resources as components; it is over when the report says so."""
    attributes = {"updated_at": at(0), "aggregate_state": "downtime"}
    shown = {"id": "165", "type": "status_page", "attributes": attributes}

    def show(*included: dict[str, Any]) -> None:
        page.documents["index.json"] = {"data": shown, "included": list(included)}

    show(*report("7", 5, "We look."), *report("8", 6, "Planned.", report_type="maintenance"))
    listener = Listener(source(page, shape="betterstack", tracks=("acme",)))
    [came] = listener.round()
    assert (came.id, came.title, came.impact) == ("statuspage-165:7", "Report 7", "major")
    assert [component.name for component in came.components] == ["Checkout"]
    assert (came.status, came.started_at) == ("investigating", START + timedelta(minutes=5))
    assert listener.round() == []
    show(*report("7", 5, "We look.", "It is over.", ends_at=at(9), aggregate_state="resolved"))
    [came] = listener.round()
    assert (came.status, came.resolved_at) == ("resolved", START + timedelta(minutes=9))
    assert [update.body for update in came.updates][:2] == ["We look.", "It is over."]


def test_an_incident_comes_with_its_whole_history(page: Page) -> None:
    """A status holds from when it was published, not from when the page dates it back to."""
    raw = incident("a", ("investigating", at(10)), ("monitoring", at(20)), ("resolved", at(30)))
    raw["incident_updates"][-1]["display_at"] = at(2)
    page.show(raw)
    [came] = Listener(source(page, tracks=("acme",))).round()
    assert came.id == "statuspage-page1:a"
    assert came.tracks == ("acme",)
    assert came.started_at == START + timedelta(minutes=2)
    assert came.resolved_at == came.at == START + timedelta(minutes=30)
    assert [step.status for step in came.history] == ["investigating", "monitoring", "resolved"]
    assert came.opened_at == START + timedelta(minutes=10)
    assert [update.body[:8] for update in came.updates] == ["update 0", "update 1", "update 2"]
    assert came.url == "https://status.example/a"


def test_every_change_comes_once(page: Page) -> None:
    """An unchanged page is not even sent again; a change brings the incident in a new version."""
    quiet = incident("b", ("investigating", at(0)))
    page.show(quiet, incident("a", ("investigating", at(1))))
    listener = Listener(source(page))
    first = listener.round()
    assert [came.id[-1] for came in first] == ["b", "a"]
    assert listener.round() == []
    assert page.asked[-2:] == [("incidents.json", 304), ("summary.json", 304)]
    page.show(quiet, incident("a", ("investigating", at(1)), ("resolved", at(4))))
    [again] = listener.round()
    assert again.id == first[1].id
    assert again.version > first[1].version
    assert again.history[-1] == StatusAt(at=START + timedelta(minutes=4), status="resolved")
    # A restart delivers none of it again.
    assert Listener(source(page), listener.cursor).round() == []


def test_a_changed_update_is_a_change(page: Page) -> None:
    """Some pages correct an update without touching the incident's own time."""
    raw = incident("a", ("investigating", at(1)))
    page.show(raw)
    listener = Listener(source(page))
    [first] = listener.round()
    raw["incident_updates"][0] |= {"body": "corrected", "updated_at": at(2)}
    page.show(raw, updated_at=at(2))
    [second] = listener.round()
    assert second.updates[0].body == "corrected"
    assert second.version > first.version


def test_an_older_answer_tells_nothing(page: Page) -> None:
    """Caches give yesterday's page after today's; nothing is taken back or told twice."""
    old, new = incident("a", ("investigating", at(1))), incident("a", ("resolved", at(5)))
    page.show(old, updated_at=at(1))
    listener = Listener(source(page))
    listener.round()
    page.show(new, updated_at=at(5))
    assert len(listener.round()) == 1
    page.show(old, incident("z", ("investigating", at(0))), updated_at=at(1))
    assert listener.round() == []
    # Nor does it after a restart, which only knows what was delivered.
    page.show(old, updated_at=at(1))
    assert Listener(source(page), listener.cursor).round() == []


def test_an_open_incident_too_old_for_the_list_comes_from_the_summary(page: Page) -> None:
    """The list holds 50; what is still open stands in the summary."""
    page.show(incident("a", ("investigating", at(1))))
    page.documents["incidents.json"]["incidents"] = []
    assert [came.id[-1] for came in Listener(source(page)).round()] == ["a"]
    del page.documents["summary.json"]
    page.documents["incidents.json"]["incidents"] = [incident("b", ("investigating", at(1)))]
    assert [came.id[-1] for came in Listener(source(page)).round()] == ["b"]


def test_maintenance_is_no_incident(page: Page) -> None:
    """Announced work is left out wherever it stands."""
    planned = incident("m", ("scheduled", at(1)), scheduled_for=at(30))
    page.show(planned, incident("n", ("investigating", at(1)), impact="maintenance"))
    page.documents["summary.json"]["scheduled_maintenances"] = [planned]
    assert Listener(source(page)).round() == []


def test_components_and_regions_get_our_names(page: Page) -> None:
    """By id or name, in any case; groups are no parts, and updates may name further ones."""
    raw = incident("a", ("investigating", at(1)))
    raw["components"] = [
        {"id": "c1", "name": "Web Checkout", "group": False},
        {"id": "c2", "name": "API (Frankfurt-2)", "group": False},
        {"id": "g1", "name": "Everything", "group": True},
    ]
    raw["incident_updates"][0]["affected_components"] = [
        {"code": "c1", "name": "Web Checkout"},
        {"code": "c3", "name": "Login – Oslo"},
    ]
    page.show(raw)
    mapped = source(
        page,
        component_map={"web checkout": "Checkout", "c3": "App login"},
        region_map={"frankfurt": "Germany", "oslo": "Norway", "rank": "nowhere"},
    )
    [came] = Listener(mapped).round()
    assert [(c.id, c.name) for c in came.components] == [
        ("c1", "Checkout"), ("c2", "API (Frankfurt-2)"), ("c3", "App login"),
    ]  # fmt: skip
    assert came.regions == ("Germany", "Norway")


def test_500_components_are_no_burden(page: Page) -> None:
    """An incident that hits all of them carries all of them."""
    parts = [{"id": f"c{n}", "name": f"Part {n}"} for n in range(500)]
    page.show(incident("a", ("investigating", at(1)), components=parts))
    [came] = Listener(source(page)).round()
    assert len(came.components) == 500


def test_what_is_no_incident_is_set_aside_and_the_rest_comes(page: Page) -> None:
    """Once, with its bytes and a reason without its text."""
    broken = incident("a", ("investigating", at(1)), name=None)
    strange = incident("b", ("on fire", at(2)))
    page.show(broken, strange, incident("c", ("investigating", at(3))))
    listener = Listener(source(page))
    first, second, third = listener.round()
    assert isinstance(first, Unreadable)
    assert isinstance(second, Unreadable)
    assert b"on fire" in second.data
    assert "fire" not in second.reason
    assert isinstance(third, Incident)
    assert Listener(source(page), listener.cursor).round() == []


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ((200, {}, b"<!doctype html><p>maintenance"), "answers a web page instead of JSON"),
        ((200, {}, b'{"page": 3}'), "answers something else instead of JSON"),
        ((200, {}, b""), "answers something else instead of JSON"),
        ((404, {}, b""), "has no api.v2.incidents.json and no api"),
        ((503, {}, b""), "answers 503"),
        ((302, {"Location": "/round"}, b""), "cannot reach"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), "cannot reach"),
    ],
)
def test_bad_answers_are_tried_again(page: Page, answer: Any, line: str) -> None:
    """One clear line names the source and its host, and asks no person to do anything else."""
    page.answer = answer
    with pytest.raises(TryLater, match=line) as raised:
        Listener(source(page)).round()
    assert str(raised.value).startswith("acme-status: ")
    assert "127.0.0.1" in str(raised.value)


def test_a_page_says_how_long_to_wait(page: Page) -> None:
    """Retry-After is heeded, within reason."""
    page.answer = (429, {"Retry-After": "77"}, b"")
    with pytest.raises(TryLater) as raised:
        Listener(source(page)).round()
    assert raised.value.after == 77


def test_a_page_that_is_away_is_tried_again() -> None:
    """Nothing listens there."""
    with status_page() as gone:
        made = source(gone)
    with pytest.raises(TryLater, match="acme-status: cannot reach 127"):
        Listener(made).round()
    assert made.totals == {"failed": 1}


def test_coverage_grows_while_the_page_is_read(page: Page) -> None:
    """One interval from the first look on, over a restart too."""
    page.show(incident("a", ("investigating", at(1))))
    clock = ManualClock(START)
    listener = Listener(made := Statuspage("acme-status", clock, page.url))
    listener.everything()
    [first] = listener.everything()
    assert made.totals == {"answered": 2}
    assert first == Coverage(
        source="acme-status", from_at=START, to_at=START + timedelta(minutes=1)
    )
    clock.set(START + timedelta(hours=2))
    [later] = Listener(Statuspage("acme-status", clock, page.url), listener.cursor).everything()
    assert later == Coverage(source="acme-status", from_at=START, to_at=START + timedelta(hours=2))


def test_a_list_that_has_overflown_is_a_gap(page: Page) -> None:
    """When nothing that was there is listed any more, something between may be missing."""
    page.show(incident("old", ("resolved", at(1))))
    clock = ManualClock(START)
    listener = Listener(Statuspage("acme-status", clock, page.url))
    listener.everything()
    page.show(*(incident(f"n{n}", ("resolved", at(n))) for n in range(50)))
    came = [value for value in listener.everything() if isinstance(value, Coverage)]
    assert [(c.is_gap, c.cause) for c in came] == [(True, "look-back exceeded")]


def test_a_foreign_cursor_reads_all_anew(page: Page) -> None:
    """With a warning; repeats are harmless."""
    page.show(incident("a", ("investigating", at(1))))
    assert len(Listener(source(page), "1783175888085434:").round()) == 1


def test_the_cursor_forgets_what_is_no_more_listed(page: Page) -> None:
    """It holds what the page lists, however long it is read."""
    listener = Listener(source(page))
    for n in range(5):
        page.show(incident(f"n{n}", ("resolved", at(n))), updated_at=at(n))
        listener.round()
    assert listener.cursor is not None
    assert "n4" in listener.cursor
    assert "n2" not in listener.cursor


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(at(1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = ("name", "status", "impact", "components", "started_at", "updated_at", "incident_updates")


@given(field=st.sampled_from(FIELDS), value=JSON, updates=st.booleans())
def test_no_answer_breaks_the_mapping(field: str, value: Any, updates: bool) -> None:
    """Whatever stands in a field, it becomes an incident or is set aside."""
    raw = incident("a", ("investigating", at(1)), ("resolved", at(2)))
    (raw["incident_updates"][0] if updates else raw)[field] = value
    try:
        made = answers.incident(raw, provider="p", names=Names(), tracks=())
    except SetAside:
        return
    assert made.id == "p:a"
