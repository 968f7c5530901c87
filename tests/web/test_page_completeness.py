"""What a person sees of what was not read: on the list, the feed and the incident's page."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from pipeline.model import Coverage
from pipeline.ports import Rows
from tests.web.browsing import PATIENCE, is_live
from tests.web.scene import OFFICIAL, Page, feedback, official

pytestmark = pytest.mark.browser


def tell(page: Page, *spans: tuple[float, float, str | None]) -> None:
    """That the source ``stream`` was read, or blind with a cause, from minute to minute ago."""
    now = datetime.now(UTC)
    words = [
        Coverage(
            source="stream",
            from_at=now - timedelta(minutes=since),
            to_at=now - timedelta(minutes=until),
            is_gap=cause is not None,
            cause=cause,
        )
        for since, until, cause in spans
    ]
    page.warehouse.write(Rows(coverage=words), now)


def shown_incident(page: Page) -> str:
    """The address of the page of an incident with one post."""
    opened = datetime.now(UTC) - timedelta(minutes=20)
    page.write(official(opened), feedback("cannot pay", incident=OFFICIAL, at=opened))
    return f"{page.url}/incidents/{quote(OFFICIAL)}"


def test_the_incident_says_what_was_not_read(page: Page, tab: Tab) -> None:
    """A line by the counts, as soon as a gap is told; before that, that nobody told anything."""
    address = shown_incident(page)
    tab.goto(address)
    line = tab.locator("#completeness")
    expect(line).to_have_text("Nothing tells how much was read: counts may be lower bounds.")
    tell(page, (200, 0, None))
    expect(line).to_be_hidden(timeout=PATIENCE)
    expect(tab.locator("#facts dd").first).to_have_text("1")
    tell(page, (32, 20, "<b>disconnected</b>"))
    expect(line).to_have_text(
        "stream was not read for 12 min (<b>disconnected</b>); counts are lower bounds.",
        timeout=PATIENCE,
    )
    expect(tab.locator("#facts dd").first).to_have_text("≥ at least 1")
    expect(tab.locator("#facts .bound").first).to_have_attribute("aria-hidden", "true")


def test_the_list_marks_counts_that_are_lower_bounds(page: Page, tab: Tab) -> None:
    """A sign for the eye, words for the ear, and a line that says what the sign means."""
    shown_incident(page)
    tell(page, (200, 0, None))
    tab.goto(f"{page.url}/incidents")
    is_live(tab)
    row = tab.get_by_role("row", name="Checkout errors in the north")
    cells = row.get_by_role("cell")
    expect(cells.nth(3)).to_have_text("1")
    expect(tab.locator("#bounds")).to_be_hidden()
    expect(tab.locator("#unknown")).to_be_hidden()
    tell(page, (32, 20, "disconnected"))
    words = "stream was not read for 12 min (disconnected); counts are lower bounds."
    heard = f"at least 1 ({words})"
    expect(row.get_by_role("cell", name=heard, exact=True)).to_have_count(1, timeout=PATIENCE)
    expect(row.get_by_role("cell", name="at least 1", exact=True)).to_have_count(1)
    expect(row.locator(".bound").first).to_have_text("≥ ")
    expect(row.locator(".bound").first).to_have_attribute("title", words)
    expect(tab.locator("#bounds")).to_be_visible()


def test_the_line_is_found_by_keyboard(page: Page, tab: Tab) -> None:
    """From the list to what was not seen with Tab and Enter alone, as on every page."""
    shown_incident(page)
    tell(page, (200, 0, None), (32, 20, "disconnected"))
    tab.goto(f"{page.url}/incidents")
    is_live(tab)
    link = tab.get_by_role("link", name="Checkout errors in the north")
    expect(link).to_be_visible(timeout=PATIENCE)
    for _ in range(9):
        tab.keyboard.press("Tab")
        if link.evaluate("node => node === document.activeElement"):
            break
    expect(link).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#completeness")).to_contain_text("12 min", timeout=PATIENCE)


def test_a_card_of_the_feed_marks_them_too(page: Page, tab: Tab) -> None:
    """And of an incident of which nobody tells what was read, the list says so."""
    shown_incident(page)
    tab.goto(f"{page.url}/incidents")
    expect(tab.locator("#unknown")).to_be_visible(timeout=PATIENCE)
    tell(page, (200, 0, None), (32, 20, "disconnected"))
    tab.goto(page.url)
    card = tab.locator("#open .card")
    expect(card).to_contain_text("≥ at least 1 witnesses", timeout=PATIENCE)
