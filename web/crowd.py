"""The crowd beside the official word, in words a responder reads.

Both sides are told with their times and counts, also where they contradict each other; nobody is
said to be right. Rumours are told as what they are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from web.text import line

if TYPE_CHECKING:
    from pipeline.voices import Voice

Row = Mapping[str, Any]
#: Why posts were set aside (``pipeline.brigades``).
CAMPAIGNS = {
    "variants": "all in nearly the same words",
    "hashtag": "nearly all behind one hashtag",
    "new_accounts": "all made less than a week before",
}
#: Claims as a reader knows them.
CLAIMS = {"data_leaked": "data leaked"}


def told(
    incident: Row,
    hours: Sequence[Row],
    rumours: Sequence[Row],
    voices: "Sequence[Voice]",
    now: datetime,
    campaigns: Sequence[Row] = (),
) -> dict[str, Any]:
    """What the page shows of the crowd; times are UTC.

    ``stance``: the newest hour's, None while nobody has said anything. ``words``: one line of both
    sides. ``sides``: the same apart. ``hours``: rows of the view ``crowd``. People are counted by
    the rule of an incident's witnesses; while it is open they are the very same number.
    """
    newest = hours[-1] if hours else None
    sides = [_official(incident, now), *_people(incident, newest)]
    return {
        "stance": newest["stance"] if newest else None,
        "words": " ".join(side["words"] for side in sides),
        "sides": sides,
        "notes": [*_notes(hours), *map(_campaign, campaigns)],
        "hours": [_hour(row) for row in hours],
        "campaigns": [dict(row) for row in campaigns],
        "rumours": [_rumour(row, now) for row in rumours],
        "voices": [{"id": voice.id, "words": line(voice.words, 300)} for voice in voices],
    }


def _official(incident: Row, now: datetime) -> dict[str, Any]:
    status, at = incident["status"], incident.get("resolved_at")
    if incident["is_proposed"]:
        became = incident.get("official_id")
        words = "it has become an official incident" if became else "nothing said yet"
        return {"who": "official", "says": None, "at": None, "words": f"Official: {words}."}
    if status not in {"resolved", "postmortem"} or at is None:
        steps = [step for step in incident.get("history") or () if step.get("status") == status]
        at = _time(steps[-1]["at"]) if steps else incident["opened_at"]
        words = f"Official: {status} since {clock(at, now)}."
    else:
        words = f"Official: resolved {clock(at, now)}."
    return {"who": "official", "says": status, "at": at, "words": words}


def _people(incident: Row, newest: Row | None) -> list[dict[str, Any]]:
    """Who says that it is broken, and who that it works."""
    if newest is None:
        return []
    is_closed = has_ended(incident)
    broken = newest["broken_since"] if is_closed else incident["witnesses"]
    works = newest["recovered_since" if is_closed else "recovered_in_all"]
    what = "it still broken since" if is_closed else "it broken"
    sides = []
    if broken or is_closed:
        who = people(broken) if broken else "Nobody"
        words = f"{who} reported {what}{';' if works else '.'}"
        sides.append({"who": "crowd", "says": "broken", "people": broken, "words": words})
    if works:
        says = "says it works" if works == 1 else "say it works"
        # "23 people reported it broken; 4 say it works again."
        number = str(works) if sides else people(works)
        words = f"{number} {says} again."
        sides.append({"who": "crowd", "says": "works", "people": works, "words": words})
    return sides


def has_ended(incident: Row) -> bool:
    """Whether its owner says that it is over: then what is said since is told."""
    return not incident["is_proposed"] and incident["status"] in {"resolved", "postmortem"}


def _notes(hours: Sequence[Row]) -> list[str]:
    """What the crowd adds to the official word, in sentences."""
    notes: list[str] = []
    places = sorted({name for row in hours for name in row["unnamed_regions"]})
    parts = sorted({name for row in hours for name in row["unnamed_components"]})
    others = sorted({name for row in hours for name in row["other_tracks"]})
    if places:
        notes.append(f"Reports come from {several(places)}, which the official word does not name.")
    if parts:
        notes.append(f"Reports are about {several(parts)}, which the official word does not name.")
    if others:
        notes.append(
            f"The same is reported of {several(others)} at the same time: "
            "it may be another provider's fault."
        )
    if official := sorted({name for row in hours for name in row["other_official"]}):
        notes.append(f"There are official incidents of {several(official)}, too.")
    return notes


def _campaign(row: Row) -> str:
    """What was set aside as a campaign, and why."""
    posts = "1 post" if row["posts"] == 1 else f"{row['posts']} posts"
    accounts = "1 account" if row["accounts"] == 1 else f"{row['accounts']} accounts"
    return (
        f"Set aside as a campaign: {posts} by {accounts}, {CAMPAIGNS[row['kind']]}. "
        "They are no witnesses."
    )


def _hour(row: Row) -> dict[str, Any]:
    names = ("stance", "witnesses", "recovered", "still_broken", "normal")
    lists = ("unnamed_regions", "unnamed_components", "other_tracks", "other_official")
    counted = {name: row[name] for name in names}
    return {"hour": row["hour"]} | counted | {name: list(row[name]) for name in lists}


def _rumour(row: Row, now: datetime) -> dict[str, Any]:
    claim = CLAIMS.get(row["claim"], row["claim"])
    first = clock(row["first_seen_at"], now)
    verb = "claims" if row["witnesses"] == 1 else "claim"
    words = f"{people(row['witnesses'])} {verb} “{claim}”, first {first}; no official word says so."
    counted = {name: row[name] for name in ("witnesses", "mentions", "first_seen_at")}
    return {"claim": row["claim"], "words": words} | counted | {"last_seen_at": row["last_seen_at"]}


def people(count: int) -> str:
    """The number with its noun."""
    return "1 person" if count == 1 else f"{count} people"


def clock(at: datetime, now: datetime) -> str:
    """The time of day, with the day where it is not within the last one."""
    near = timedelta() <= now - at < timedelta(hours=18)
    return f"{at:%H:%M} UTC" if near else f"{at.day} {at:%b %Y %H:%M} UTC"


def several(names: Sequence[str], most: int = 5) -> str:
    """Names as a sentence has them, the first few of many."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _time(value: Any) -> datetime:
    """A time as JSON holds it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
