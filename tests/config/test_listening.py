"""What `up --watch NAME --status URL` adds to the settings."""

import pytest

from collectors.bluesky.jetstream import Bluesky
from collectors.incidents.statuspage.source import Statuspage
from config import listening, sources
from config.settings import Settings, SourceSettings
from pipeline.clock import SystemClock
from pipeline.errors import Misuse
from pipeline.tracks import Track


def test_a_name_and_a_page_are_enough() -> None:
    """Without any settings, both sources can be opened, under names that do not change."""
    known = listening.to(Settings(), ["Acme Shop"], "status.acme.example")
    assert known.track == (
        Track(
            name="Acme Shop", terms=("Acme Shop",), handles=("AcmeShop",), hashtags=("AcmeShop",)
        ),
    )
    posts, incidents = sources.open_all(known, SystemClock())
    assert isinstance(posts, Bluesky)
    assert isinstance(incidents, Statuspage)
    assert (posts.name, incidents.name) == ("bluesky", "statuspage-status.acme.example")


def test_settings_are_added_to_not_replaced() -> None:
    """A track of that name, a Bluesky source or that page in the file stay as they are."""
    page = SourceSettings.model_validate({"type": "statuspage", "url": "https://s.example"})
    mine = Track(name="acme", terms=("akme",))
    bluesky = SourceSettings(type="bluesky")
    known = Settings(track=(mine,), source=(bluesky,), incidents=(page,))
    assert listening.to(known, ["acme"], "https://s.example") == known
    more = listening.to(known, ["acme", "nordwind", "nordwind"], None)
    assert [track.name for track in more.track] == ["acme", "nordwind"]


def test_nothing_asked_for_nothing_changed() -> None:
    """Plain `up` listens to what the settings say."""
    assert listening.to(Settings(), [], None) == Settings()


@pytest.mark.parametrize(("names", "page"), [(["  "], None), ([], "https://")])
def test_nonsense_is_refused(names: list[str], page: str | None) -> None:
    """With a line that says what is wanted."""
    with pytest.raises(Misuse, match="wants"):
        listening.to(Settings(), names, page)


def test_an_address_that_is_none_of_the_web_is_refused() -> None:
    """The source's own settings say so."""
    known = listening.to(Settings(), [], "ftp://status.acme.example")
    with pytest.raises(Misuse, match="number 1, type statuspage: url"):
        sources.open_all(known, SystemClock())
