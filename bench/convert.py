"""Makes files that ``groundswell replay`` reads out of the public data in ``../shared/data``.

    python -m bench.convert uk_telecom OUT
    python -m bench.convert power_outage OUT
    python -m bench.convert incidents OUT --onto MENTIONS [--tracks o2 …]

OUT is a file of JSON lines. Authors are unknown in both sets of posts. The incidents are those of a
status page; ``--onto`` moves them to the time of the posts in MENTIONS, evenly over the posts, so
that each keeps its own length and begins where there are posts.
"""

import argparse
import csv
import gzip
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from pipeline.values import in_utc

DATA = Path("../shared/data")
SKIPPED = "skipped: ../shared/data is not here"
RETOLD = re.compile(r"RT @\w+")
HASHTAG = re.compile(r"#(\w+)")
#: What the status page calls its states, and what ours are called.
STATUS = {"investigating", "identified", "monitoring", "resolved", "postmortem"}

Line = dict[str, Any]


def uk_telecom(path: Path) -> Iterator[Line]:
    """Posts about three British operators; the row's number is the id, the operator the track."""
    for number, row in enumerate(_csv(path), 1):
        yield _post(str(number), row["text"], row["created_at"]) | {
            "tracks": [row["operator"].lstrip("@").lower()]
        }


def power_outage(path: Path) -> Iterator[Line]:
    """Posts about power cuts; a post that several queries brought is there once."""
    seen = set()
    for number, row in enumerate(_csv(path), 1):
        identity = row["tweet_id"] or f"row-{number}"
        if identity in seen:
            continue
        seen.add(identity)
        place = {"place": row["location"]} if row["location"] else {}
        yield _post(identity, row["text"], row["created_at"]) | place | {"tracks": ["power"]}


POSTS: dict[str, tuple[str, Callable[[Path], Iterator[Line]]]] = {
    "uk_telecom": ("uk_telecom_2019/stream_to_2019-11-27.csv.gz", uk_telecom),
    "power_outage": ("power_outage_tweets_2019.csv.gz", power_outage),
}
INCIDENTS = "status_github/incidents.jsonl.gz"


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _post(identity: str, text: str, at: str) -> Line:
    return {
        "source": "x",
        "external_id": identity,
        "kind": "repost" if RETOLD.match(text) else "post",
        "text": text,
        "said_at": at,
        "hashtags": HASHTAG.findall(text),
    }


def incidents(
    path: Path, onto: Sequence[datetime] = (), tracks: Sequence[str] = ()
) -> Iterator[Line]:
    """One line for each update of each incident: what was known of it then, ``at`` that time.

    With ``onto`` (times of posts, in order) the incidents are moved there.
    """
    with gzip.open(path, "rb") as file:
        records = [orjson.loads(line) for line in file]
    records = sorted((r for r in records if r.get("updates")), key=_begin)
    for number, record in enumerate(records):
        shift = timedelta()
        if onto:
            place = (2 * number + 1) * len(onto) // (2 * len(records))
            shift = onto[place] - _begin(record)
        yield from _states(record, shift, tracks)


def _begin(record: Line) -> datetime:
    return _time(record.get("started_at") or record["updates"][0]["at"])


def _states(record: Line, shift: timedelta, tracks: Sequence[str]) -> Iterator[Line]:
    """The incident as it stood after each of its updates."""
    told: list[Line] = []
    status = "investigating"
    for number, update in enumerate(sorted(record["updates"], key=lambda u: _time(u["at"]))):
        named = update["status"].lower()
        status = named if named in STATUS else status
        at = (_time(update["at"]) + shift).isoformat()
        told.append(
            {
                "id": str(number),
                "status": status,
                "body": update.get("message") or "",
                "display_at": at,
            }
        )
        yield {
            "id": f"github:{record['id']}",
            "title": record["title"],
            "status": status,
            "impact": record.get("impact") or "none",
            "components": [{"name": name} for name in record.get("components") or ()],
            "updates": list(told),
            "started_at": (_begin(record) + shift).isoformat(),
            "resolved_at": at if status in {"resolved", "postmortem"} else None,
            "url": record.get("url"),
            "tracks": list(tracks),
            "at": at,
        }


def _time(text: str) -> datetime:
    return in_utc(datetime.fromisoformat(text))


def times_of(path: Path) -> list[datetime]:
    """The times of the posts in a file of mentions, in order."""
    with path.open("rb") as file:
        return sorted(_time(orjson.loads(line)["said_at"]) for line in file)


def write(lines: Iterable[Line], out: Path) -> int:
    """Writes JSON lines; returns how many."""
    count = 0
    with out.open("wb") as file:
        for line in lines:
            file.write(orjson.dumps(line) + b"\n")
            count += 1
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.convert", description="Public data as files that replay reads."
    )
    parser.add_argument("what", choices=[*POSTS, "incidents"])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--onto", type=Path, metavar="MENTIONS", help="move incidents to its time")
    parser.add_argument("--tracks", nargs="*", default=[], metavar="NAME", help="of the incidents")
    options = parser.parse_args(arguments)
    file = INCIDENTS if options.what == "incidents" else POSTS[options.what][0]
    if not (DATA / file).exists():
        print(SKIPPED)
        return 0
    if options.what == "incidents":
        onto = times_of(options.onto) if options.onto else []
        lines = incidents(DATA / file, onto, options.tracks)
    else:
        lines = POSTS[options.what][1](DATA / file)
    print(f"{write(lines, options.out):,} lines in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
