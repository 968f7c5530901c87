"""Settings made of a name: what ``up --watch NAME --status URL`` adds to those of the file."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from config.settings import Settings, SourceSettings
from pipeline.errors import Misuse
from pipeline.tracks import Track


def to(known: Settings, names: Sequence[str], page: str | None) -> Settings:
    """The settings with a track for each name, Bluesky to hear it on, and the status page.

    What the settings have already is left as it is. Raises Misuse for a name of blanks only or an
    address without a host.
    """
    changes: dict[str, object] = {}
    if names:
        there = {track.name for track in known.track}
        added = [_track(name) for name in dict.fromkeys(names) if name not in there]
        changes["track"] = (*known.track, *added)
        if not any(source.type == "bluesky" for source in known.source):
            bluesky = SourceSettings.model_validate({"type": "bluesky", "name": "bluesky"})
            changes["source"] = (*known.source, bluesky)
    if page is not None:
        changes["incidents"] = (*known.incidents, *_pages(known, names, page))
    return known.model_copy(update=changes)


def _track(name: str) -> Track:
    """Listens for the name as a word, a handle and a hashtag."""
    joined = "".join(name.split())
    if not joined:
        raise Misuse("--watch wants a name")
    return Track(name=name, terms=(name,), handles=(joined,), hashtags=(joined,))


def _pages(known: Settings, names: Sequence[str], page: str) -> list[SourceSettings]:
    url = page if "://" in page else f"https://{page}"
    host = urlsplit(url).netloc
    if not host:
        raise Misuse(f"--status wants the address of a status page, not {page!r}")
    if any(given.own.get("url") == url for given in known.incidents):
        return []
    told = {"type": "statuspage", "name": f"statuspage-{host}", "url": url, "tracks": [*names]}
    return [SourceSettings.model_validate(told)]
