"""The running page for the tests of its API."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.scene import Page, running


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with running(tmp_path) as running_page:
        yield running_page


@pytest.fixture
def client(page: Page) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.url, trust_env=False, timeout=20) as own:
        yield own


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """For tests that write nothing: one page for all of them."""
    with (
        running(tmp_path_factory.mktemp("bare")) as running_page,
        httpx.Client(base_url=running_page.url, trust_env=False, timeout=20) as own,
    ):
        yield own
