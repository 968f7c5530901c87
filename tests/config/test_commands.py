"""Commands about settings and answers: what they say, and what they refuse."""

import json
import socket
from pathlib import Path

import pytest

from config import settings, sources
from config.commands import asking
from pipeline.errors import Misuse
from pipeline.ports import Table
from tests.end_to_end.program import lines, post, run


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
