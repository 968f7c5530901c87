"""Commands about settings and answers: what they say, and what they refuse."""

import argparse
import json
import socket
from pathlib import Path

import pytest

from config import settings, sources
from config.cli import parser
from config.commands import asking
from pipeline.errors import Misuse
from pipeline.ports import Table
from tests.end_to_end.program import lines, post, run
from tests.sinks.test_migrations import old_file


def test_check_says_what_cannot_be_reached(tmp_path: Path) -> None:
    """A service that is configured and does not answer is named with its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    text = f'[[incidents]]\ntype = "statuspage"\nurl = "http://127.0.0.1:{port}"\n'
    (tmp_path / "groundswell.toml").write_text(text, encoding="utf-8")
    done = run("check", cwd=tmp_path, code=1)
    assert f"127.0.0.1:{port}" in done.stderr.decode()
    assert b"warehouse: groundswell.duckdb will be made" in done.stdout


def test_sources_are_listed_with_what_they_need(tmp_path: Path) -> None:
    """The keys are relied on from outside."""
    rows = json.loads(run("sources", "--format", "json", cwd=tmp_path).stdout)
    assert all(set(row) >= {"name", "kind", "configured", "needs", "health"} for row in rows)
    assert {row["kind"] for row in rows} == {"social", "incident"}
    assert {row["health"] for row in rows} == {"not configured"}


def test_the_health_of_sources_is_what_the_running_process_says() -> None:
    """Trouble first, otherwise the state."""
    table = settings.SourceSettings.model_validate({"type": "recorded", "paths": ["a.jsonl"]})
    known = settings.Settings(source=(table, table))
    told = {"sources": [{"name": "recorded-source-1", "state": "listening", "trouble": None}]}
    (row,) = [r for r in sources.listing(known, told) if r["configured"]]
    assert row["health"] == "listening, not in the running process"


def test_the_broker_is_the_configured_one(tmp_path: Path) -> None:
    """Dead letters of a replay are found where the settings say."""
    (tmp_path / "groundswell.toml").write_text('[broker]\npath = "elsewhere.broker"\n')
    (tmp_path / "posts.jsonl").write_text("nonsense\n")
    run("replay", "posts.jsonl", cwd=tmp_path)
    assert (tmp_path / "elsewhere.broker").exists()
    listed = run("deadletter", "list", "--format", "json", cwd=tmp_path)
    (letter,) = json.loads(listed.stdout)
    run("deadletter", "replay", "nosuchid", cwd=tmp_path, code=2)
    refused = run("deadletter", "replay", letter["id"], cwd=tmp_path, code=1)
    assert b"only their source could read them" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("relabel", "x:1", "intent=nonsense"),
        ("accept", "x:1"),
        ("dismiss", "status:1"),
        ("merge", "groundswell:acme-1", "status:nosuch"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """A name that the head does not have, no proposal, or an incident that nobody knows."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    done = run("decide", *arguments, cwd=tmp_path, code=2)
    assert done.stdout == b""
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_variable_that_names_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the environment is not silence."""
    monkeypatch.setenv("GROUNDSWELL_WEBB__PORT", "9001")
    with pytest.raises(Misuse, match="GROUNDSWELL_WEBB__PORT"):
        settings.load()


def test_json_answers_keep_large_numbers_and_equal_names(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """What JSON cannot hold as a number is text; a second column of a name has its number."""
    asking.show(Table(["a", "a"], [(2**64, 1)]), "json")
    assert json.loads(capfdbinary.readouterr().out) == [{"a": str(2**64), "a_2": 1}]


def test_a_password_in_the_settings_file_is_refused(tmp_path: Path) -> None:
    """Secrets come from the environment; the line does not repeat it."""
    text = '[kafka]\nservers = "127.0.0.1:9"\nsasl_password = "tulip"\n'
    (tmp_path / "groundswell.toml").write_text(text, encoding="utf-8")
    done = run("check", cwd=tmp_path, code=2)
    assert "GROUNDSWELL_KAFKA__SASL_PASSWORD" in done.stderr.decode()
    assert b"tulip" not in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[track]]\nname = "acme"\nterm = ["acme"]\n', "track.0.term"),
        ('[[track]]\nname = "acme"\n[[track.component]]\nname = "Shop"\nalias = []\n', "alias"),
        ("[web]\nprt = 8420\n", "web.prt"),
    ],
)
def test_a_typing_error_in_the_settings_is_named(text: str, told: str, tmp_path: Path) -> None:
    """A key that nobody knows is not silence, in a track neither."""
    (tmp_path / "groundswell.toml").write_text(text, encoding="utf-8")
    done = run("check", cwd=tmp_path, code=2).stderr.decode()
    assert told in done
    assert "there is no such key" in done


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[track]]\nname = "acme"\n', "tracks: nothing matches acme"),
        (2 * '[[track]]\nname = "acme"\nterms = ["acme"]\n', "tracks: two are named acme"),
        ('[models]\ndir = "nowhere"\n', "models: there is no directory nowhere"),
        ('[warehouse]\npath = "nowhere/a.duckdb"\n', "warehouse: there is no directory nowhere"),
    ],
)
def test_check_says_what_could_not_work(text: str, told: str, tmp_path: Path) -> None:
    """Settings that can be read and would hear nothing, or fail at the start."""
    (tmp_path / "groundswell.toml").write_text(text + "[web]\nport = 0\n", encoding="utf-8")
    assert told in run("check", cwd=tmp_path, code=1).stderr.decode()


def test_check_names_all_that_is_wrong(tmp_path: Path) -> None:
    """Whoever mends one source after the other runs it once, not once for each."""
    (tmp_path / "groundswell.toml").write_text(
        """
[[track]]
name = "acme"
terms = ["acme"]
[[source]]
type = "recordid"
[[source]]
type = "recorded"
paths = ["nowhere.jsonl"]
[[source]]
type = "rss"
name = "blog"
url = "http://127.0.0.1:9/feed"
tracks = ["acne"]
[[incidents]]
type = "statuspage"
uri = "https://status.acme.example"
""",
        encoding="utf-8",
    )
    told = run("check", cwd=tmp_path, code=1).stderr.decode()
    assert "no source of type 'recordid'" in told
    assert "nowhere.jsonl: there is no such file" in told
    assert "[[source]] number 3 names 'acne'; there are: acme" in told
    assert "blog cannot be reached at 127.0.0.1:9" in told
    assert "[[incidents]] number 1, type statuspage: url: is missing" in told
    assert "uri: there is no such key here" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[warehouse]\npath = "closed/a.duckdb"\n', "closed cannot be written"),
        ('[recording]\ndir = "closed/recordings"\n', "closed cannot be written"),
        ('[models]\nlabels = "nowhere.toml"\n', "labels: nowhere.toml: No such file"),
    ],
)
def test_check_finds_what_cannot_be_written_or_read(text: str, told: str, tmp_path: Path) -> None:
    """A folder that is there and closed is not fine."""
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "groundswell.toml").write_text(text + "[web]\nport = 0\n", encoding="utf-8")
    done = run("check", cwd=tmp_path, code=1, powerless=True)
    assert told in done.stderr.decode()


def test_check_brings_no_warehouse_up_to_date(tmp_path: Path) -> None:
    """One of an older release is told of and stays as it is: nobody made a backup yet."""
    path = tmp_path / "groundswell.duckdb"
    old_file(path, 1)
    before = path.read_bytes()
    (tmp_path / "groundswell.toml").write_text("[web]\nport = 0\n", encoding="utf-8")
    done = run("check", cwd=tmp_path)
    assert b"is of an older release" in done.stdout
    assert path.read_bytes() == before


@pytest.mark.parametrize("flag", ["--mention", "--author"])
def test_only_a_whole_id_is_forgotten(flag: str, tmp_path: Path) -> None:
    """An id without its source would erase nothing and look as if it had."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    done = run("forget", flag, "1", cwd=tmp_path, code=2)
    assert done.stdout == b""
    assert "SOURCE:ID" in done.stderr.decode()


def test_a_replay_says_why_nothing_was_linked(tmp_path: Path) -> None:
    """Without tracks no post is about an incident, and what could not be read has its list."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    with (tmp_path / "posts.jsonl").open("a", encoding="utf-8") as file:
        file.write("nonsense\n")
    (tmp_path / "incidents.jsonl").write_text(
        '{"id": "status:7", "title": "Down", "status": "investigating", '
        '"started_at": "2026-03-02T08:55:00Z"}\n',
        encoding="utf-8",
    )
    done = run("replay", "posts.jsonl", "--incidents", "incidents.jsonl", cwd=tmp_path)
    said = done.stderr.decode()
    assert "no [[track]] in the settings" in said
    assert "groundswell deadletter list" in said


def test_enrich_says_why_nothing_was_linked(tmp_path: Path) -> None:
    """Once, where incidents were given; not where posts bring their tracks, or none were read."""
    incidents = tmp_path / "incidents.jsonl"
    told = {"id": "status:7", "title": "Checkout is down", "status": "investigating"}
    lines(incidents, [told | {"started_at": "2026-03-02T08:55:00Z", "tracks": ["acme"]}])
    plain = post(1, "checkout is down, nothing works")
    said = []
    for asked, given in [
        (("--incidents", incidents), [plain, plain]),
        (("--incidents", incidents), [plain | {"tracks": ["acme"]}]),
        (("--incidents", incidents), []),
        ((), [plain]),
    ]:
        read = "\n".join(map(json.dumps, given)).encode()
        done = run("enrich", *asked, cwd=tmp_path, given=read)
        said.append(done.stderr.count(b"no [[track]] in the settings"))
    assert said == [1, 0, 0, 0]


def test_forgetting_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A receipt over nothing looks as if it had erased; an id that was mistyped must not."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    done = run("forget", "--mention", "x:99", cwd=tmp_path)
    assert json.loads(done.stdout)["mentions"] == 0
    assert b"nothing of it is kept here" in done.stderr
    done = run("forget", "--mention", "x:1", cwd=tmp_path)
    assert json.loads(done.stdout)["mentions"] == 1
    assert b"nothing" not in done.stderr


@pytest.mark.parametrize("typed", ["x:1\r", " x:1\n", "x:1\u2028"])
def test_what_stands_around_an_id_is_no_part_of_it(typed: str) -> None:
    """Lines of a CSV end with a carriage return, and a shell hands it on."""
    words = parser().parse_args(["forget", "--mention", typed, "--author", typed])
    assert (words.mention, words.author) == (["x:1"], ["x:1"])
    words = parser().parse_args(["decide", "link", typed, f"{typed} "])
    assert (words.subject, words.value) == ("x:1", "x:1")


@pytest.mark.parametrize(
    "asked", [("forget", "--mention"), ("forget", "--author"), ("decide", "accept")]
)
def test_an_id_with_a_control_character_is_refused(
    asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be taken for the one that a terminal shows; the line shows it whole."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*asked, "x:1\r2"])
    assert ended.value.code == 2
    assert r"an id has no control characters, as 'x:1\r2' has" in capsys.readouterr().err


def test_a_decision_about_what_is_not_there_is_said(tmp_path: Path) -> None:
    """It may come later, and then it holds; but most often the id was mistyped."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    done = run("decide", "relabel", "x:99", "intent=praise", cwd=tmp_path)
    assert b"nothing is kept of x:99" in done.stderr
    assert run("decide", "relabel", "x:1", "intent=praise", cwd=tmp_path).stderr == b""


def test_talk_that_nobody_watches_has_whole_lines(tmp_path: Path) -> None:
    """Into a file relabel writes its last line alone, without what a terminal overwrites."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    done = run("relabel", "--again", cwd=tmp_path)
    assert b"\r" not in done.stderr
    assert done.stderr.startswith(b"1 mentions were named by")


def test_every_option_is_explained() -> None:
    """No option of any command stands in its help without a word."""
    top = parser()
    (commands,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    bare = {
        f"{name} {action.option_strings[0]}"
        for name, command in commands.choices.items()
        for action in command._actions
        if action.option_strings and not action.help
    }
    assert bare == set()


@pytest.mark.parametrize(
    "asked", [("relabel",), ("replay", "posts.jsonl"), ("enrich",)], ids=lambda asked: asked[0]
)
def test_a_folder_without_a_model_is_refused(asked: tuple[str, ...], tmp_path: Path) -> None:
    """It would look as if the model had been used, and changed nothing."""
    (tmp_path / "empty").mkdir()
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    done = run(*asked, "--model", "empty", cwd=tmp_path, code=2)
    assert done.stdout == b""
    assert b"no model of ours in empty: name the folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("keep", "why"), [("closed/demo", "Permission denied"), ("file", "File exists")]
)
def test_a_demo_that_cannot_be_kept_says_where(keep: str, why: str, tmp_path: Path) -> None:
    """One line that names the folder, before anything is started."""
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "file").write_text("taken", encoding="utf-8")
    asked = ("demo", "--keep", keep, "--port", "0")
    done = run(*asked, cwd=tmp_path, code=2, powerless=True)
    assert f"the demo cannot write to {keep}: {why}; name another" in done.stderr.decode()
    assert len(done.stderr.strip().splitlines()) == 1
