"""Bad input of every kind: a clear word, nothing lost, and the rest goes on."""

import json
from pathlib import Path

import pytest

from config import cli
from tests.end_to_end.program import lines, post, query, run


def replayed(tmp_path: Path, records: list[object], *more: str | Path) -> Path:
    """The warehouse after a replay of these records."""
    file = lines(tmp_path / "posts.jsonl", records)  # type: ignore[arg-type]
    warehouse = tmp_path / "w.duckdb"
    run("replay", file, "--warehouse", warehouse, *more, cwd=tmp_path)
    return warehouse


def test_a_file_that_is_no_json_becomes_dead_letters(tmp_path: Path) -> None:
    """Every line is kept with its reason; the exit code stays 0 and the last line counts them."""
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"this is no JSON\n\x00\x01\x02\xff\n<html></html>\n")
    warehouse = tmp_path / "w.duckdb"
    done = run("replay", file, "--warehouse", warehouse, cwd=tmp_path)
    assert b"0 mentions" in done.stdout
    assert b"3 dead letters" in done.stdout.splitlines()[-1]
    listed = run("deadletter", "list", "--warehouse", warehouse, "--format", "json", cwd=tmp_path)
    letters = json.loads(listed.stdout)
    assert len(letters) == 3
    assert all("no JSON" in letter["reason"] for letter in letters)
    origins = sorted(letter["origin"] for letter in letters)
    assert origins == [f"replay: posts.jsonl line {n}" for n in (1, 2, 3)]


def test_a_mention_without_a_required_field_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    """One bad record spoils nothing but itself."""
    bad = post(2, "no time")
    del bad["said_at"]
    warehouse = replayed(tmp_path, [post(1, "works"), bad, post(3, "works too")])
    assert [r["id"] for r in query("SELECT id FROM feedback ORDER BY id", warehouse)] == [
        "x:1",
        "x:3",
    ]
    listed = run("deadletter", "list", "--warehouse", warehouse, "--format", "json", cwd=tmp_path)
    (letter,) = json.loads(listed.stdout)
    assert "said_at" in letter["reason"]
    assert b"no time" not in listed.stdout


HOSTILE = {
    "surrogates": "down \ud83d again \udc00",
    "nul": "down \x00 again",
    "bidi": "down \u202egnp.exe\u202c again",
    "zero width": "d\u200bo\u200bw\u200bn" * 200,
    "combining flood": "d" + "\u0335\u0336\u0337" * 2_000 + "own",
    "markup": "<script>alert(1)</script>",
    "sql": "'; DROP TABLE feedback; --",
    "formula": '=HYPERLINK("http://x.example","y")',
    "empty": "",
    "only emoji": "\U0001f525\U0001f525",
    "only a link": "https://x.example/a",
}


def test_hostile_text_is_kept_as_text(tmp_path: Path) -> None:
    """Whatever a text contains, it is a row of its own and every format prints it."""
    records = [post(n, text) for n, text in enumerate(HOSTILE.values())]
    warehouse = replayed(tmp_path, records)
    rows = query("SELECT id, text FROM feedback", warehouse)
    assert len(rows) == len(HOSTILE)
    texts = {row["id"]: row["text"] for row in rows}
    assert texts["x:6"] == HOSTILE["sql"]
    assert texts["x:5"] == HOSTILE["markup"]
    shown = run("query", "SELECT text FROM feedback", "--warehouse", warehouse, cwd=tmp_path)
    assert "\u202e" not in shown.stdout.decode()
    csv = run(
        "query",
        "SELECT text FROM feedback",
        "--warehouse",
        warehouse,
        "--format",
        "csv",
        cwd=tmp_path,
    ).stdout.decode()
    assert "'=HYPERLINK" in csv


def test_a_text_of_a_megabyte_and_ten_thousand_hashtags(tmp_path: Path) -> None:
    """Absurd sizes are carried, not dropped."""
    huge = post(1, "down " * 200_000)
    tagged = post(2, "down", hashtags=[f"tag{n}" for n in range(10_000)])
    warehouse = replayed(tmp_path, [huge, tagged, post(3, "down")])
    rows = query("SELECT id, length(text) AS n FROM feedback ORDER BY id", warehouse)
    assert [row["n"] for row in rows] == [1_000_000, 4, 4]


def test_times_out_of_this_world(tmp_path: Path) -> None:
    """1970 and 2100 are kept as said, and disturb nobody else."""
    warehouse = replayed(
        tmp_path,
        [
            post(1, "long ago", at="1970-01-01T00:00:00Z"),
            post(2, "now"),
            post(3, "far away", at="2100-01-01T00:00:00Z"),
            post(4, "a wrong clock", at="2100-01-01T00:00:00Z", seen_at="2026-03-02T09:00:00Z"),
        ],
    )
    rows = {r["id"]: r for r in query("SELECT id, said_at, event_at FROM feedback", warehouse)}
    assert rows["x:1"]["said_at"].startswith("1970-01-01T00:00:00")
    assert rows["x:3"]["said_at"].startswith("2100-01-01T00:00:00")
    assert rows["x:4"]["event_at"].startswith("2026-03-02T09:05:00")


def test_versions_out_of_order_end_in_the_newest(tmp_path: Path) -> None:
    """The highest version wins wherever it stands in the file."""
    warehouse = replayed(
        tmp_path,
        [
            post(1, "newest words", version=3_000),
            post(1, "first words", version=0),
            post(1, "second words", version=2_000),
        ],
    )
    (row,) = query("SELECT text FROM feedback", warehouse)
    assert row["text"] == "newest words"


def test_a_removal_before_its_mention(tmp_path: Path) -> None:
    """What was erased never shows its text, whichever came first."""
    removal = {"removal": "x:1", "kind": "erased", "at": "2026-03-02T08:00:00Z"}
    warehouse = replayed(tmp_path, [removal, post(1, "a secret of mine"), post(2, "hello")])
    rows = query("SELECT text, is_removed FROM feedback ORDER BY id", warehouse)
    assert [row for row in rows if not row["is_removed"]] == [
        {"text": "hello", "is_removed": False}
    ]
    assert b"a secret of mine" not in warehouse.read_bytes()


def test_a_decision_before_its_subject(tmp_path: Path) -> None:
    """A person's word waits for what it is about, and wins."""
    decision = {
        "id": "d1",
        "subject": "x:1",
        "verb": "relabel",
        "value": "intent=praise",
        "by": "kim",
        "at": "2026-03-02T08:00:00Z",
    }
    warehouse = replayed(tmp_path, [decision, post(1, "my messages do not arrive at all")])
    (row,) = query("SELECT intent, intent_p FROM feedback", warehouse)
    assert row == {"intent": "praise", "intent_p": 1.0}


def test_an_incident_that_changes_its_components(tmp_path: Path) -> None:
    """The newest record of an incident is the one that is shown."""
    base = {
        "id": "status:1",
        "title": "Trouble with messages",
        "status": "investigating",
        "started_at": "2026-03-02T08:50:00Z",
        "history": [{"at": "2026-03-02T08:50:00Z", "status": "investigating"}],
    }
    first = base | {"at": "2026-03-02T08:50:00Z", "components": [{"id": "1", "name": "Messages"}]}
    later = base | {
        "at": "2026-03-02T08:58:00Z",
        "components": [{"id": "2", "name": "Login"}, {"id": "3", "name": "Push"}],
    }
    incidents = lines(tmp_path / "incidents.jsonl", [later, first])
    warehouse = replayed(tmp_path, [post(1, "messages do not arrive")], "--incidents", incidents)
    (row,) = query("SELECT incident_id, title FROM incidents", warehouse)
    assert row == {"incident_id": "status:1", "title": "Trouble with messages"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("replay", "nowhere.jsonl"), "nowhere.jsonl"),
        (("replay", "posts.jsonl", "--speed", "fast"), "--speed"),
        (("query", "SELECT 1", "--warehouse", "nowhere.duckdb"), "nowhere.duckdb"),
        (("forget",), "--mention"),
        (("--config", "nowhere.toml", "sources"), "nowhere.toml"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(
    arguments: tuple[str, ...], word: str, tmp_path: Path
) -> None:
    """The line names what is wrong, and no stack trace is shown."""
    lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    done = run(*arguments, cwd=tmp_path, code=2)
    assert word in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_file_that_is_no_warehouse(tmp_path: Path) -> None:
    """Another program's file is left alone, and the line names it."""
    other = tmp_path / "other.duckdb"
    other.write_bytes(b"something else entirely" * 1_000)
    file = lines(tmp_path / "posts.jsonl", [post(1, "hello")])
    done = run("replay", file, "--warehouse", other, cwd=tmp_path, code=1)
    assert "other.duckdb" in done.stderr.decode()
    assert other.read_bytes() == b"something else entirely" * 1_000


FORBIDDEN = [
    *("DELETE FROM feedback", "DELETE FROM fct_mention", "UPDATE fct_mention SET model = 'x'"),
    *("INSERT INTO meta VALUES ('a', 'b')", "DROP VIEW feedback", "CREATE TABLE t (a INTEGER)"),
    *("CREATE OR REPLACE VIEW feedback AS SELECT 1", "ALTER TABLE meta ADD COLUMN a INTEGER"),
    *("TRUNCATE fct_mention", "VACUUM", "CHECKPOINT", "FORCE CHECKPOINT", "ANALYZE"),
    *("SELECT 1; DROP VIEW feedback", "BEGIN; DELETE FROM meta; COMMIT", "PREPARE p AS SELECT 1"),
    "WITH gone AS (DELETE FROM fct_mention RETURNING *) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM fct_mention",
    *("COPY (SELECT 1) TO 'out.csv'", "COPY meta FROM 'secret.txt'", "EXPORT DATABASE 'out.csv'"),
    *("IMPORT DATABASE 'out.csv'", "ATTACH 'x.duckdb'", "ATTACH ':memory:' AS m", "DETACH memory"),
    *("USE temp", "INSTALL httpfs", "LOAD httpfs", "FORCE INSTALL json", "UPDATE EXTENSIONS"),
    *("SELECT * FROM read_csv('secret.txt')", "SELECT * FROM read_csv_auto('secret.txt')"),
    *("SELECT * FROM read_text('secret.txt')", "SELECT * FROM read_blob('secret.txt')"),
    *("SELECT * FROM read_json('secret.txt')", "SELECT * FROM read_ndjson('secret.txt')"),
    *("SELECT * FROM read_parquet('secret.txt')", "SELECT * FROM parquet_metadata('secret.txt')"),
    *("SELECT * FROM sniff_csv('secret.txt')", "SELECT * FROM glob('*')", "FROM 'secret.txt'"),
    *("SELECT * FROM query('DROP VIEW feedback')", "SELECT * FROM read_text('groundswell.key')"),
    *("SELECT * FROM query('FROM read_text(''secret.txt'')')", "SELECT getenv('HOME')"),
    *("SET threads = 1", "SET enable_external_access = true", "SET lock_configuration = false"),
    *("SELECT content FROM read_blob('w.duckdb')", "FROM 'w.duckdb'", "DESCRIBE 'w.duckdb'"),
    *("SELECT * FROM checkpoint()", "SELECT * FROM truncate_duckdb_logs()"),
    *("RESET ALL", "PRAGMA threads = 1", "PRAGMA enable_external_access", "SET VARIABLE a = 1"),
    *("PRAGMA disable_checkpoint_on_shutdown", "CALL force_checkpoint()", "SET schema = 'x'"),
    *(
        "SELECT nonsense FROM nowhere",
        "",
        "   ",
        ";",
        "-- nothing",
        "SELECT",
        "\x00",
        "SELECT '\ud83d'",
    ),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of one post, and a file beside it that nobody's SQL may read."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "secret.txt").write_text("the secret of the machine\n", encoding="utf-8")
    return replayed(folder, [post(1, "hello")])


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_query_can_neither_write_nor_read_files_nor_set_anything(
    sql: str, small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQL is for reading the warehouse only: one line says no, and nothing has changed."""
    monkeypatch.chdir(small.parent)
    before = small.read_bytes()
    beside = sorted(path.name for path in small.parent.iterdir())
    assert cli.main(["query", sql, "--warehouse", str(small)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1
    assert "the secret of the machine" not in told.err
    assert small.read_bytes() == before
    assert sorted(path.name for path in small.parent.iterdir()) == beside


def test_a_variable_of_the_program_is_no_table(small: Path) -> None:
    """What DuckDB's own function for the environment would tell is told to nobody."""
    done = run("query", "SELECT getenv('HOME')", "--warehouse", small, cwd=small.parent, code=2)
    assert b"/" not in done.stdout


def test_enrich_answers_every_line_in_its_place(tmp_path: Path) -> None:
    """A line that cannot be read gives an error with its number, the others give feedback."""
    given = [
        json.dumps(post(1, "my messages do not arrive")),
        "no JSON",
        json.dumps({"source": "x"}),
        json.dumps(post(2, "thank you, all fine")),
    ]
    done = run("enrich", cwd=tmp_path, given="\n".join(given).encode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a.get("line") for a in answers] == [None, 2, 3, None]
    assert answers[0]["mention"]["external_id"] == "1"
    assert answers[3]["labels"]["intent"]["name"]
    assert "2 unreadable" in done.stderr.decode()


def test_fields_that_nobody_knows_are_named_once(tmp_path: Path) -> None:
    """By `replay` and `enrich`, on standard error, without what stands in them."""
    flat = post(1, "down") | {"author_handle": "somebody"}
    file = lines(tmp_path / "posts.jsonl", [flat, flat | {"external_id": "2"}])
    replay = run("replay", file, "--warehouse", tmp_path / "w.duckdb", cwd=tmp_path)
    enrich = run("enrich", cwd=tmp_path, given=file.read_bytes())
    for done in (replay, enrich):
        assert done.stderr.count(b"author_handle (2)") == 1
        assert b"somebody" not in done.stderr
