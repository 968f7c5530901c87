"""Words of coverage: what was read, and where a source was blind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from collectors.kit.causes import BUDGET_SPENT
from collectors.kit.progress import Place, Progress
from collectors.kit.times import from_us, to_us
from pipeline.model import Coverage


def covered(source: str, track: str | None, places: Sequence[Place | None]) -> Coverage | None:
    """From when to when all questions about a track were answered; None before that."""
    known = [place for place in places if place is not None]
    since = max((place.at if place.since is None else place.since for place in known), default=0)
    read = min((place.at if place.read is None else place.read for place in known), default=0)
    if len(known) < len(places) or read <= since:
        return None
    return Coverage(source=source, track=track, from_at=from_us(since), to_at=from_us(read))


def gap(source: str, track: str | None, start: int, end: int, cause: str) -> Coverage:
    """That nobody read between two moments in µs since 1970, with a cause of ``kit.causes``."""
    return Coverage(
        source=source,
        track=track,
        from_at=from_us(start),
        to_at=from_us(end),
        is_gap=True,
        cause=cause,
    )


def by_track(queries: Iterable[tuple[str, str | None]]) -> dict[str | None, list[str]]:
    """The keys of questions by the track that each is about."""
    found: dict[str | None, list[str]] = {}
    for key, track in queries:
        found.setdefault(track, []).append(key)
    return found


def skipped(
    source: str, tracks: Mapping[str | None, Sequence[str]], progress: Progress, now: datetime
) -> Iterator[Coverage]:
    """Gives up what was not bought up to now: a gap for each track that was read before."""
    places, at = progress.places, to_us(now)
    for track, keys in tracks.items():
        known = {key: places[key] for key in keys if key in places}
        read = [place.read for place in known.values() if place.read is not None]
        for key, place in known.items():
            if place.read is not None:
                places[key] = replace(place, at=at, since=at, read=at)
        if read and at > min(read):
            yield gap(source, track, min(read), at, BUDGET_SPENT)
