"""What tests of the page in a browser share."""

import os
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

CHROMIUM = Path(os.environ.get("GROUNDSWELL_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
#: For everything that the speed of a machine may delay, in ms.
PATIENCE = 20_000


def is_live(tab: Tab) -> None:
    """Waits until the stream runs and the first rows (or their absence) are drawn."""
    expect(tab.locator("#state")).to_have_attribute("data-state", "running", timeout=PATIENCE)
    expect(tab.locator("#empty")).not_to_contain_text("Loading", timeout=PATIENCE)
