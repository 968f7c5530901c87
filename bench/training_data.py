"""Training data for the shipped heads: public sets that may teach, and our own examples.

Usage: ``python -m bench.training_data SCRATCH`` writes ``SCRATCH/HEAD.jsonl.gz`` for every head.

What each public label is taken to mean stands in the functions below, one for each set; ``weight``
says how much it counts beside the others, so that no set is heard alone. Where a set's label leaves
two of ours open ("complaint" there is a report or a complaint here), the row says both.
"""

import csv
import gzip
import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.own_examples import own_examples

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
HEADS = ("intent", "topic", "severity", "sentiment", "informative", "noise")
# Our own posts carry our own definitions; for most heads the sets are larger by far.
OWN_WEIGHT = {"intent": 0.75}
OWN_WEIGHT_ELSE = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of training data; several ``labels`` where the set leaves it open."""

    text: str
    labels: tuple[str, ...]
    group: str
    lang: str | None = None
    weight: float = 1.0


def rows_of(name: str) -> Iterator[dict[str, str]]:
    """The rows of one of the public sets."""
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def telecom(head: str) -> Iterator[Row]:
    """Subject and sentiment of posts to a mobile operator."""
    for number, row in enumerate(rows_of("uk_telecom_2019/labelled_o2.csv.gz")):
        subject, mood = row["subject"], row["sentiment"]
        labels: tuple[str, ...] = {
            "intent": _telecom_intent(subject, mood),
            "topic": _TELECOM_TOPIC.get(subject, ()),
            "sentiment": (mood,),
            "noise": ("yes",) if subject == "Promotion" else ("no",),
            "severity": _telecom_severity(subject, mood),
        }.get(head, ())
        if labels:
            # Near posts of a stream are about the same matter: a stretch of it is a group.
            weight = 7.0 if head == "intent" else 1.0
            yield Row(row["text"], labels, f"telecom-{number // 130}", "en", weight)


_TELECOM_TOPIC = {
    "Network": ("network",),
    "Broadband": ("network",),
    "Contract": ("billing",),
    "Customer Service": ("service",),
    "Promotion": ("other",),
}


def _telecom_severity(subject: str, mood: str) -> tuple[str, ...]:
    if mood != "negative":
        return ("none",)
    if subject in {"Network", "Broadband"}:
        return ("blocked", "degraded")
    return () if subject == "Device" else ("annoyed",)


def _telecom_intent(subject: str, mood: str) -> tuple[str, ...]:
    if mood == "positive":
        return ("praise", "recovery")
    if mood == "negative":
        if subject in {"Network", "Broadband"}:
            return ("report",)
        return ("report", "complaint") if subject == "Device" else ("complaint",)
    return ("other",) if subject == "Promotion" else ("question", "other", "request")


def complaints(head: str) -> Iterator[Row]:
    """Posts to support accounts and random ones: complaint (an expectation was broken) or not."""
    for number, row in enumerate(rows_of("complaints_acl2019.csv.gz")):
        is_complaint = row["complaint"] == "1"
        labels: tuple[str, ...] = {
            "intent": ("complaint", "report")
            if is_complaint
            else ("question", "other", "praise", "request", "recovery"),
            "sentiment": ("negative",) if is_complaint else (),
            "noise": ("no",) if is_complaint else (),
            "severity": ("annoyed", "blocked") if is_complaint else ("none",),
        }.get(head, ())
        if labels:
            domain = row["domain"]
            # Random posts are hardly ever complaints, and would teach that there are hardly any.
            at_random = domain.startswith("random")
            group = f"{domain}-{number % 8}" if at_random else domain
            weight = (1.2 if at_random else 3.0) if head == "intent" else 0.7
            yield Row(row["text"], labels, f"complaints-{group}", "en", weight)


def reviews(head: str) -> Iterator[Row]:
    """Reviews of apps: bug report, feature request, experience, rating."""
    chance = random.Random(4)
    for row in rows_of("app_reviews_4class.csv.gz"):
        kind = row["label"]
        if head in {"noise", "severity"} and chance.random() < 0.8:
            continue
        labels: tuple[str, ...] = {
            "intent": _REVIEW_INTENT[kind],
            "sentiment": ("negative",) if kind == "bug report" else (),
            "severity": _REVIEW_SEVERITY.get(kind, ()),
            "noise": ("no",),
        }.get(head, ())
        if labels:
            yield Row(row["text"], labels, "", "en", _REVIEW_WEIGHT.get(head, 0.5))


_REVIEW_WEIGHT = {"intent": 1.3, "noise": 0.3}
_REVIEW_SEVERITY = {
    "bug report": ("blocked", "degraded", "annoyed"),
    "feature request": ("none",),
}
_REVIEW_INTENT = {
    "bug report": ("report",),
    "feature request": ("request",),
    "user experience": ("praise", "complaint"),
    "rating": ("praise", "complaint"),
}


def crises(head: str) -> Iterator[Row]:
    """Posts from 26 crises in several languages."""
    for row in rows_of("crisislex_t26.csv.gz"):
        told = row["informativeness"]
        labels: tuple[str, ...] = ()
        weight = 1.0
        if head == "informative" and told != "Not applicable":
            labels = ("yes",) if told == "Related and informative" else ("no",)
        elif head == "sentiment":
            labels, weight = _mood(row["text"], row["info_source"]), 0.3
        elif head == "intent" and told == "Not related":
            labels, weight = ("other",), 0.4
        elif head == "noise" and row["info_source"] == "Eyewitness":
            labels, weight = ("no",), 0.5
        if labels:
            yield Row(row["text"], labels, row["event"], row["lang_guess"] or None, weight)


def _mood(text: str, source: str) -> tuple[str, ...]:
    """What a writer's own smiley says; the press is neutral."""
    glad = any(sign in text for sign in (":)", ":-)", ":D", "😊", "😍", "❤"))
    sad = any(sign in text for sign in (":(", ":-(", ":'(", "😡", "😭", "😢"))
    if glad != sad:
        return ("positive",) if glad else ("negative",)
    return ("neutral",) if source == "Media" else ()


def crisis_streams(head: str) -> Iterator[Row]:
    """Posts from 6 crises, on topic or not; the second kind is everyday talk."""
    chance = random.Random(6)
    for row in rows_of("crisislex_t6.csv.gz"):
        off = row["label"] == "off-topic"
        if head == "informative" and off and chance.random() < 0.2:
            yield Row(row["text"], ("no",), row["event"], "en", 0.5)
        elif head == "intent" and off and chance.random() < 0.12:
            yield Row(row["text"], ("other", "praise", "question"), row["event"], "en", 0.4)
        elif head == "severity" and off and chance.random() < 0.05:
            yield Row(row["text"], ("none",), row["event"], "en", 0.4)
        elif head == "sentiment" and (mood := _mood(row["text"], "")):
            yield Row(row["text"], mood, row["event"], "en", 0.3)


def disasters(head: str) -> Iterator[Row]:
    """Posts with words of disaster, which are about one or not."""
    if head == "informative":
        for row in rows_of("disaster_tweets_dfe.csv.gz"):
            if row["label"] in {"Relevant", "Not Relevant"}:
                label = "yes" if row["label"] == "Relevant" else "no"
                yield Row(row["text"], (label,), f"dfe-{row['keyword'][:3]}", "en", 0.3)


def responses(head: str) -> Iterator[Row]:
    """Messages sent after disasters: whether they tell of a need or a danger."""
    if head == "informative":
        for row in rows_of("disaster_response_fig8.csv.gz"):
            if row["genre"] != "news":
                label = "yes" if "aid_related" in row["labels"] else "no"
                yield Row(row["text"], (label,), f"fig8-{int(row['id']) // 1_500}", "en", 0.2)


SETS: tuple[Callable[[str], Iterator[Row]], ...] = (
    telecom,
    complaints,
    reviews,
    crises,
    crisis_streams,
    disasters,
    responses,
)


def own(head: str) -> Iterator[Row]:
    """Our own examples."""
    weight = OWN_WEIGHT.get(head, OWN_WEIGHT_ELSE)
    for line in own_examples(head):
        yield Row(line["text"], (line["label"],), line["group"], line["lang"], weight)


def training_rows(head: str, sets: Iterable[Callable[[str], Iterator[Row]]] = SETS) -> list[Row]:
    """All rows that teach ``head``, ours first, so that ours stays where a text stands twice."""
    rows = list(own(head))
    for one in sets:
        rows.extend(one(head))
    return [row for row in rows if row.text.strip()]


def write(rows: Iterable[Row], path: Path) -> int:
    """Writes rows as gzipped JSON lines and returns how many."""
    written = 0
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for row in rows:
            line = {
                "text": row.text,
                "label": row.labels[0] if len(row.labels) == 1 else row.labels,
                "group": row.group or None,
                "lang": row.lang,
                "weight": row.weight,
            }
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            written += 1
    return written


def main() -> None:
    """Writes the training data of every head."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m bench.training_data DIRECTORY")
    if not DATA.is_dir():
        sys.exit("skipped: ../shared/data is not here")
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for head in HEADS:
        n = write(training_rows(head), directory / f"{head}.jsonl.gz")
        print(f"{head}: {n:,} rows")


if __name__ == "__main__":
    main()
