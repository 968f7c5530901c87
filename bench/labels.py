"""Quality of the shipped heads on groups that training never saw, and their speed.

Usage: ``python -m bench.labels [--speed]``.

For sets that teach, the figures come from cross-validation by group (``pipeline.train``) with the
shipped recipe; sets that may only measure are labelled with the shipped weights. Beside each figure
stands the floor: tf-idf of words and word pairs with a linear SVM, trained on the same set and
folds where the set teaches, on our training data where it does not. The last lines are what
``groundswell train`` makes of sets that teach nothing that ships.
"""

import csv
import gzip
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.models import shipped
from bench.training_data import DATA, rows_of, training_rows
from pipeline.evaluate import f1, macro_f1
from pipeline.examples import Example
from pipeline.model import Mention
from pipeline.steps import text
from pipeline.steps.labels import Labeller
from pipeline.train import Settings, cross_validated, train

MODELS = Path(__file__).parents[1] / "config" / "models"
_LANGUAGES = {
    "arabic": "ar", "english": "en", "french": "fr", "german": "de",
    "hindi": "hi", "italian": "it", "portuguese": "pt", "spanish": "es",
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One line of the table; macro-F1 throughout."""

    what: str
    texts: int
    ours: float
    floor: float
    goal: float | None = None


@dataclass(frozen=True)
class Task:
    """A yes-or-no question to a set that also teaches: how we and how the set answer it."""

    what: str
    head: str
    names: frozenset[str]
    truth: Callable[[], Iterator[tuple[str, bool]]]
    goal: float


def _telecom() -> Iterator[tuple[str, bool]]:
    for row in rows_of("uk_telecom_2019/labelled_o2.csv.gz"):
        trouble = row["subject"] in {"Network", "Broadband"} and row["sentiment"] == "negative"
        yield row["text"], trouble


def _complaints() -> Iterator[tuple[str, bool]]:
    for row in rows_of("complaints_acl2019.csv.gz"):
        yield row["text"], row["complaint"] == "1"


def _reviews() -> Iterator[tuple[str, bool]]:
    for row in rows_of("app_reviews_4class.csv.gz"):
        yield row["text"], row["label"] == "bug report"


def _crises() -> Iterator[tuple[str, bool]]:
    for row in rows_of("crisislex_t26.csv.gz"):
        if row["informativeness"] != "Not applicable":
            yield row["text"], row["informativeness"] == "Related and informative"


TASKS = (
    Task("report or not, telecom", "intent", frozenset({"report"}), _telecom, 0.85),
    Task(
        "complaint or not (ours: complaint or report)",
        "intent",
        frozenset({"complaint", "report"}),
        _complaints,
        0.74,
    ),
    Task("bug report or not, reviews", "intent", frozenset({"report"}), _reviews, 0.93),
    Task("informative or not, unseen crises", "informative", frozenset({"yes"}), _crises, 0.78),
)


def _floor(learn: Sequence[str], labels: Sequence[Any], held: Sequence[str]) -> list[Any]:
    """The answers of tf-idf (words and pairs) with a linear SVM."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = LinearSVC(class_weight="balanced").fit(words.fit_transform(learn), labels)
    answers: list[Any] = model.predict(words.transform(held)).tolist()
    return answers


def _crossed_floor(examples: Sequence[Example], truth: dict[str, bool]) -> float:
    """The floor on the texts of one set, cross-validated by the same groups."""
    from sklearn.model_selection import StratifiedGroupKFold

    texts = [e.text for e in examples]
    labels = np.array([truth[t] for t in texts])
    groups = [e.group or t for e, t in zip(examples, texts, strict=True)]
    guess = np.zeros(len(texts), dtype=bool)
    for learn, held in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
        texts, labels, groups
    ):
        answers = _floor([texts[i] for i in learn], labels[learn], [texts[i] for i in held])
        guess[held] = answers
    return macro_f1(list(map(str, labels)), list(map(str, guess)))


def taught() -> Iterator[Figure]:
    """The sets that teach, held out group by group."""
    for head in sorted({task.head for task in TASKS}):
        rows = [
            Example(
                row.text, row.labels[0], row.group or None, row.lang, row.weight, row.labels[1:]
            )
            for row in training_rows(head)
        ]
        examples, answers = cross_validated(rows, settings=shipped(head))
        for task in TASKS:
            if task.head == head:
                truth = dict(task.truth())
                here = [(e, a) for e, a in zip(examples, answers.names, strict=True)
                        if e.text in truth]  # fmt: skip
                ours = macro_f1(
                    [str(truth[e.text]) for e, _ in here], [str(a in task.names) for _, a in here]
                )
                floor = _crossed_floor([e for e, _ in here], truth)
                yield Figure(task.what, len(here), ours, floor, task.goal)


def only_measured(labeller: Labeller) -> Iterator[Figure]:
    """The sets that may not teach: sentiment for airlines and in eight languages."""
    learnt = training_rows("sentiment")
    airlines = [
        (r["text"], r["airline_sentiment"]) for r in rows_of("airline_sentiment_2015.csv.gz")
    ]
    tweets = [
        (_LANGUAGES[r["language"]], r["text"], r["sentiment"])
        for r in rows_of("multilingual_sentiment_xlmt.csv.gz")
    ]
    texts = [t for t, _ in airlines] + [t for _, t, _ in tweets]
    floor = _floor([r.text for r in learnt], [r.labels[0] for r in learnt], texts)
    names = labeller.labels["sentiment"]
    ours: list[str] = []
    for start in range(0, len(texts), 1_000):
        plain = text.prepare_texts(texts[start : start + 1_000]).plain
        ours.extend(names[b] for b in labeller.decide(plain)["sentiment"][0])
    n = len(airlines)
    truth = ["negative" if label == "negative" else "not" for _, label in airlines]
    yield Figure(
        "negative or not, airlines",
        n,
        macro_f1(truth, ["negative" if a == "negative" else "not" for a in ours[:n]]),
        macro_f1(truth, ["negative" if a == "negative" else "not" for a in floor[:n]]),
        0.74,
    )
    by_language = []
    for lang in sorted(set(_LANGUAGES.values())):
        here = [i for i, (tongue, _, _) in enumerate(tweets) if tongue == lang]
        want = [tweets[i][2] for i in here]
        by_language.append(
            Figure(
                f"sentiment, {lang}",
                len(here),
                macro_f1(want, [ours[n + i] for i in here]),
                macro_f1(want, [floor[n + i] for i in here]),
            )
        )
    yield from by_language
    yield Figure(
        "sentiment, mean of 8 languages",
        len(tweets),
        statistics.fmean(figure.ours for figure in by_language),
        statistics.fmean(figure.floor for figure in by_language),
        0.45,
    )


def _learnt(learn: Sequence[Example], held: Sequence[str]) -> list[str]:
    """The answers of a head that ``groundswell train`` makes of these examples."""
    with TemporaryDirectory() as scratch:
        # The figures of its own cross-validation are not needed here: two folds are quicker.
        train(learn, "bench", Path(scratch), settings=Settings(folds=2))
        labeller = Labeller.load([Path(scratch)])
    names = labeller.labels["bench"]
    plain = text.prepare_texts(list(held)).plain
    return [names[b] for b in labeller.decide(plain)["bench"][0]]


def after_training() -> Iterator[Figure]:
    """What ``groundswell train`` makes of sets that teach nothing that ships."""
    rows = list(rows_of("airline_sentiment_2015.csv.gz"))
    for airline in sorted({row["airline"] for row in rows}):
        learn = [r for r in rows if r["airline"] != airline]
        held = [r for r in rows if r["airline"] == airline]
        learnt, truth = (
            ["negative" if r["airline_sentiment"] == "negative" else "not" for r in part]
            for part in (learn, held)
        )
        examples = [Example(r["text"], a) for r, a in zip(learn, learnt, strict=True)]
        texts = [r["text"] for r in held]
        ours = macro_f1(truth, _learnt(examples, texts))
        floor = macro_f1(truth, _floor([e.text for e in examples], learnt, texts))
        yield Figure(f"trained: negative or not, {airline} unseen", len(held), ours, floor, 0.86)
    yield _languages_learnt()
    yield from _reasons_learnt(rows)


def _languages_learnt() -> Figure:
    rows = list(rows_of("multilingual_sentiment_xlmt.csv.gz"))
    learn = [r for r in rows if r["split"] == "train"]
    held = [r for r in rows if r["split"] != "train"]
    answers = _learnt(
        [Example(r["text"], r["sentiment"]) for r in learn], [r["text"] for r in held]
    )
    floor = _floor(
        [r["text"] for r in learn], [r["sentiment"] for r in learn], [r["text"] for r in held]
    )
    means = []
    for guess in (answers, floor):
        by_language = [
            macro_f1(
                [r["sentiment"] for r in held if r["language"] == language],
                [g for g, r in zip(guess, held, strict=True) if r["language"] == language],
            )
            for language in _LANGUAGES
        ]
        means.append(statistics.fmean(by_language))
    return Figure("trained: sentiment, mean of 8 languages", len(held), means[0], means[1], 0.60)


def _reasons_learnt(rows: Sequence[dict[str, str]]) -> Iterator[Figure]:
    """A label of a team's own: 200 posts that have it and 800 complaints that have not.

    Two figures: macro-F1 of having it or not, and F1 of the label itself, which is rare.
    """
    told = [r for r in rows if r["negativereason"]]
    held = [r for r in told if r["airline"] == "Delta"]
    texts = [r["text"] for r in held]
    for reason in ("Late Flight", "Lost Luggage", "Cancelled Flight"):
        chance = random.Random(2)
        rest = [r for r in told if r["airline"] != "Delta"]
        chance.shuffle(rest)
        having = [r for r in rest if r["negativereason"] == reason][:200]
        learn = having + [r for r in rest if r["negativereason"] != reason][:800]
        labels = [str(r["negativereason"] == reason) for r in learn]
        truth = [str(r["negativereason"] == reason) for r in held]
        examples = [Example(r["text"], a) for r, a in zip(learn, labels, strict=True)]
        ours = _learnt(examples, texts)
        floor = _floor([e.text for e in examples], labels, texts)
        what = f"trained: 200 posts of {reason!r}"
        yield Figure(what, len(held), macro_f1(truth, ours), macro_f1(truth, floor), 0.70)
        ours_alone, floor_alone = f1(truth, ours, "True"), f1(truth, floor, "True")
        yield Figure(f"{what}, the label alone", len(held), ours_alone, floor_alone, 0.70)


def language(labeller: Labeller) -> tuple[int, float]:
    """How many tweets, and the share of them whose language is told right."""
    codes = {"german": "de", "english": "en", "french": "fr", "dutch": "nl", "spanish": "es"}
    with gzip.open(DATA / "langid_tweets_carter.csv.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["language"] in codes]
    mentions = [_mention(i, row["text"]) for i, row in enumerate(rows)]
    labels = labeller.label(mentions, text.prepare(mentions))
    right = sum(
        answer["language"].name == codes[row["language"]]
        for row, answer in zip(rows, labels, strict=True)
    )
    return len(rows), right / len(rows)


def _mention(number: int, words: str) -> Mention:
    said = "2026-11-02T00:00:00Z"
    return Mention.model_validate(
        {"source": "bench", "external_id": number, "text": words, "said_at": said}
    )


def speed(labeller: Labeller) -> tuple[float, float]:
    """Microseconds of CPU a post in batches of 1,000: all heads, and preparing the text."""
    posts = [row["text"] for row in rows_of("uk_telecom_2019/stream_to_2019-11-27.csv.gz")][:5_000]
    mentions = [_mention(i, words) for i, words in enumerate(posts)]
    best = prepared = float("inf")
    for _ in range(5):
        spent = reading = 0.0
        for start in range(0, len(mentions), 1_000):
            batch = mentions[start : start + 1_000]
            before = time.process_time()
            texts = text.prepare(batch)
            between = time.process_time()
            labeller.label(batch, texts)
            spent += time.process_time() - between
            reading += between - before
        best, prepared = min(best, spent), min(prepared, reading)
    return best / len(mentions) * 1e6, prepared / len(mentions) * 1e6


def main() -> None:
    """Prints the table."""
    if not DATA.is_dir():
        sys.exit("skipped: ../shared/data is not here")
    labeller = Labeller.load([MODELS])
    console = Console(width=100)
    micro, reading = speed(labeller)
    console.print(f"labels {labeller.version}: {micro:.1f} µs a post, {1e6 / micro:,.0f} posts/s")
    console.print(f"(the text made ready before: {reading:.1f} µs)")
    n, share = language(labeller)
    console.print(f"language: {share:.1%} of {n:,} tweets in five languages")
    if "--speed" in sys.argv:
        return
    table = Table(title="macro-F1 on groups that training never saw", title_justify="left")
    for name in ("question", "texts", "ours", "floor", "goal"):
        table.add_column(name, justify="left" if name == "question" else "right")
    for figure in (*only_measured(labeller), *taught(), *after_training()):
        goal = "" if figure.goal is None else f"{figure.goal:.2f}"
        table.add_row(
            figure.what, f"{figure.texts:,}", f"{figure.ours:.3f}", f"{figure.floor:.3f}", goal
        )
    console.print(table)


if __name__ == "__main__":
    main()
