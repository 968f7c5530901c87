"""``train``: labels of a team's own, people's labels, and what is refused."""

import json
from pathlib import Path

import pytest

from config.commands.models import answers_in_use
from config.decided import decided
from config.names import label_names, shipped_names
from config.settings import Settings
from config.team_labels import parents, team_examples
from pipeline.errors import Misuse
from pipeline.evaluate import macro_f1
from pipeline.promotion import promote
from pipeline.steps.labels import Labeller
from pipeline.train import Settings as TrainSettings
from pipeline.train import train
from tests.end_to_end.program import lines, post, run
from tests.pipeline.labelled import moods, small_model

STREAMING = """
[topic.streaming]
about = "Films and series stutter, stop or do not begin."
parent = "performance"
examples = [
    "the film stops every two minutes", "episode three will not play on my tv",
    "buffering all evening during the series", "stream freezes right before the goal",
    "the movie plays without sound", "subtitles lag behind the film",
    "the series jumps back to the first episode", "live stream quality is awful tonight",
]
"""
PARKING = """
[topic.parking]
about = "Car parks, their machines and barriers."
parent = "payment"
examples = [
    "the barrier at the car park will not open", "parking meter ate my coins and printed nothing",
    "cannot start a parking session on Mill Lane", "your parking app shows the wrong zone",
    "car park machine on level two takes no cards", "fined although I paid for parking until six",
    "barrier of the car park closed on my car", "no free space but the car park sign says 40",
    "parking ticket machine is out of order", "cannot extend my parking from the app",
    "car park exit jammed, ticket not read", "parking permit not recognised at the barrier",
    "stuck in the car park, the barrier stays down", "parking app charged me for two spaces",
]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "team.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.timeout(900)
def test_a_topic_of_ones_own_needs_no_code(tmp_path: Path) -> None:
    """A table with example posts, one command, and posts get the new topic beside the old ones."""
    written(tmp_path, STREAMING)
    teach = ("train", "--labels", "team.toml", "--head", "topic", "--out", "mine")
    run(*teach, cwd=tmp_path, seconds=900)
    labeller = Labeller.load([tmp_path / "mine"])
    assert {"streaming", "performance", "login"} < set(labeller.labels["topic"])
    words = ["the film freezes in episode two", "cannot log in, password is refused"]
    posts = lines(tmp_path / "posts.jsonl", (post(i, text) for i, text in enumerate(words)))
    done = run("enrich", "--model", "mine", cwd=tmp_path, given=posts.read_bytes())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["labels"]["topic"]["name"] for a in answers] == ["streaming", "login"]


def test_posts_of_a_parent_with_a_telling_word_are_open_to_its_children(tmp_path: Path) -> None:
    """They may be of the new label, too; the others stay, or the parent could lose them all."""
    examples = team_examples(written(tmp_path, STREAMING), "topic")
    parents = [e for e in examples if e.label == "performance"]
    opened = [e for e in parents if e.others == ("streaming",)]
    assert 0 < len(opened) < len(parents) / 2
    assert any("buffering" in e.text for e in opened)
    assert {e.others for e in parents} == {(), ("streaming",)}
    assert {e.others for e in examples if e.label == "login"} == {()}
    assert sum(e.label == "streaming" for e in examples) == 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (STREAMING.replace("performance", "perfomance"), "no label 'perfomance' to be its parent"),
        (STREAMING.replace('"performance"', '"streaming"'), "no label 'streaming'"),
        (STREAMING.replace("topic.streaming", "topic.login"), "such a label already"),
        (STREAMING.replace("topic.streaming", "intent.streaming"), r"tables named \[topic.NAME\]"),
        (STREAMING.replace("topic.streaming", 'topic."A B"'), "small letters"),
        ('\n\n[topic.x]\nexamples = ["one"]', r"line 3: \[topic\.x\]: examples: wants 5 or more"),
        ('[topic.x]\nexamples = "one"', r"\[topic\.x\]: examples: wants a list, was given text"),
        ("[topic]\nx = 1", r"\[topic\.x\]: wants a table of names and values, was given a number"),
        ("\nnot toml", r"not a TOML file: .*line 2"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """The file, the label and what is wrong with it are named."""
    with pytest.raises(Misuse, match=why) as refused:
        team_examples(written(tmp_path, text), "topic")
    assert "team.toml" in str(refused.value)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    """No file, no labels, no decisions: wrong usage."""
    done = run("train", "--head", "topic", "--out", "mine", cwd=tmp_path, code=2)
    assert b"nothing to learn from" in done.stderr


def test_peoples_labels_teach_where_terms_allow_it(tmp_path: Path) -> None:
    """The last word on each post, from platforms that may teach; the others are counted."""
    words = [
        *(post(f"w{i}", f"post {i}", source="webhook") for i in range(3)),
        post("x1", "another", source="x"),
    ]
    decisions = [
        {"id": f"d{i}", "subject": subject, "verb": "relabel", "value": value, "by": "kim",
         "at": f"2026-11-02T10:0{i}:00Z"}
        for i, (subject, value) in enumerate([
            ("webhook:w0", "topic=login"), ("webhook:w0", "topic=data"),
            ("webhook:w1", "topic=login"), ("webhook:w1", "intent=report"), ("x:x1", "topic=data"),
        ])
    ]  # fmt: skip
    lines(tmp_path / "posts.jsonl", [*words, *decisions])
    run("replay", "posts.jsonl", cwd=tmp_path)
    found = decided(Settings(), "topic", tmp_path / "groundswell.duckdb")
    assert sorted((e.text, e.label) for e in found.examples) == [
        ("post 0", "data"), ("post 1", "login"),
    ]  # fmt: skip
    assert found.left_out == 1
    with pytest.raises(Misuse, match="no decisions about team-label"):
        decided(Settings(), "team-label", tmp_path / "groundswell.duckdb")


def settled(tmp_path: Path, text: str) -> None:
    (tmp_path / "groundswell.toml").write_text(text, encoding="utf-8")


def labelled(tmp_path: Path, labels: tuple[str, ...] = ("bad", "good", "ask")) -> Path:
    rows = ({"text": e.text, "label": e.label, "group": e.group} for e in moods(labels))
    return lines(tmp_path / "labelled.jsonl", rows)


def test_labels_of_ones_own_can_be_given_at_once(tmp_path: Path) -> None:
    """Those of the file in the settings, and those that a model of one's own knows."""
    path = written(tmp_path, STREAMING)
    small_model(tmp_path / "mine", head="topic")
    known = Settings.model_validate({"models": {"labels": path, "dir": tmp_path / "mine"}})
    names = label_names(known)["topic"]
    assert names[: len(shipped_names()["topic"])] == shipped_names()["topic"]
    assert names[-4:] == ["streaming", "ask", "bad", "good"]
    settled(tmp_path, '[models]\nlabels = "team.toml"\n')
    lines(tmp_path / "posts.jsonl", [post("1", "the film stops")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    run("decide", "relabel", "x:1", "topic=streaming", cwd=tmp_path)
    done = run("decide", "relabel", "x:1", "topic=steaming", cwd=tmp_path, code=2)
    assert b"topic has no 'steaming'" in done.stderr


def test_a_name_that_no_head_has_is_said(tmp_path: Path) -> None:
    """A file makes a new head, and says so; people's labels and a promotion do not by accident."""
    labelled(tmp_path)
    ask = ("train", "--head", "mod", "--out", "mine")
    done = run(*ask, "labelled.jsonl", cwd=tmp_path)
    assert b"no head has the name 'mod'" in done.stderr
    assert (tmp_path / "mine" / "mod.safetensors").exists()
    done = run(*ask, "--decisions", cwd=tmp_path, code=2)
    assert b"a head of your own wants a FILE" in done.stderr
    settled(tmp_path, '[models]\ndir = "use"\n')
    done = run(*ask, "labelled.jsonl", "--promote", cwd=tmp_path, code=2)
    assert b"say --new, too" in done.stderr
    run(*ask, "labelled.jsonl", "--promote", "--new", cwd=tmp_path)
    assert (tmp_path / "use" / "mod.safetensors").exists()


def test_a_head_that_lost_labels_is_not_put_in_use(tmp_path: Path) -> None:
    """An intent of two labels is written, for whoever wants it, but not promoted."""
    settled(tmp_path, '[models]\ndir = "use"\n')
    labelled(tmp_path, ("bad", "good"))
    ask = ("train", "labelled.jsonl", "--head", "intent", "--out", "mine", "--promote")
    done = run(*ask, cwd=tmp_path, code=1)
    assert b"not promoted: it has never seen complaint, other, praise" in done.stdout
    assert (tmp_path / "mine" / "intent.safetensors").exists()
    assert list((tmp_path / "use").iterdir()) == []


@pytest.mark.timeout(900)
def test_a_label_of_ones_own_can_be_promoted(tmp_path: Path) -> None:
    """The model in use knows our examples by heart; it is held to what it says without them."""
    (tmp_path / "use").mkdir()
    known = Settings.model_validate({"models": {"dir": tmp_path / "use"}})
    path = written(tmp_path, PARKING)
    quick = TrainSettings(folds=3, cost=2.0)
    report = train(team_examples(path, "topic"), "topic", tmp_path / "mine", settings=quick)
    fair = answers_in_use(known, report, beside_ours=True, folds=3)
    by_heart = answers_in_use(known, report, beside_ours=False)
    assert fair is not None
    assert by_heart is not None
    told = [e.label for e in report.texts]
    assert macro_f1(told, fair.names) < macro_f1(told, by_heart.names)
    within = parents(path, "topic")
    assert within == {"parking": "payment"}
    outcome = promote(report, fair, tmp_path / "use", within=within)
    assert outcome.promoted, outcome.reason


def test_help_says_where_a_head_of_ones_own_shows(tmp_path: Path) -> None:
    """Its answers reach `enrich` and no table, which nobody should learn from empty queries."""
    said = " ".join(run("train", "--help", cwd=tmp_path).stdout.decode().split())
    assert "stands in the lines of `groundswell enrich`" in said
    assert "in no table of the warehouse" in said


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("posts.jsonl", "a file stands where"),
        ("posts.jsonl/deeper", "a file stands where"),
        ("closed/mine", "Permission denied"),
        ("closed", "Permission denied"),
    ],
)
@pytest.mark.parametrize("promote", [False, True], ids=["out", "models"])
def test_where_no_model_can_be_written_is_said_before_training(
    tmp_path: Path, out: str, why: str, promote: bool
) -> None:
    """One line that names the folder, at once: nobody waits for a model that cannot be kept."""
    texts = [{"text": f"{word} {n}", "label": word} for word in ("up", "down") for n in range(20)]
    lines(tmp_path / "posts.jsonl", texts)
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "groundswell.toml").write_text(f'[models]\ndir = "{out}"\n', encoding="utf-8")
    more = ("--out", "mine", "--promote", "--new") if promote else ("--out", out)
    teach = ("train", "posts.jsonl", "--head", "way", *more)
    done = run(*teach, cwd=tmp_path, code=2, powerless=True)
    assert out in done.stderr.decode().splitlines()[-1]
    assert why in done.stderr.decode().splitlines()[-1]
    assert b"held out" not in done.stdout


def test_labels_that_the_model_does_not_know_are_named(tmp_path: Path) -> None:
    """A typing error in a label must not pass for a model that is always wrong."""
    known = [{"text": f"nothing works since noon {n}", "label": "report"} for n in range(3)]
    lines(tmp_path / "typo.jsonl", [*known, {"text": "it is down", "label": "raport"}])
    done = run("evaluate", "typo.jsonl", "--head", "intent", cwd=tmp_path)
    assert b"1 of 4 texts have labels that the model never gives: raport (1)" in done.stderr
    lines(tmp_path / "strange.jsonl", [{"text": "it is down", "label": "raport"}])
    done = run("evaluate", "strange.jsonl", "--head", "intent", cwd=tmp_path, code=2)
    assert b"raport" in done.stderr
    assert b"report" in done.stderr
