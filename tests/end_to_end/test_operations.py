"""Seeing it run: what real processes answer operators, on files and on Kafka and PostgreSQL."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.operating.definitions import metrics
from tests.end_to_end.program import PROGRAM, environment, lines, post, up
from tests.servers.cluster import Cluster, recorded

SETTINGS = """
[[track]]
name = "acme"
terms = ["acme"]

[[source]]
type = "recorded"
name = "posts"
paths = ["posts.jsonl"]

[[incidents]]
type = "statuspage"
name = "status page"
url = "http://127.0.0.1:9"
"""
#: Something that a terminal would obey, in a place where a source's id is quoted in reasons.
HOSTILE = "\x1b]0;owned\x07\x1b[31m"


def asked(url: str) -> tuple[int, Any]:
    """Status and JSON of an answer, whatever it is."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def missed(url: str) -> list[Any]:
    """The status of ``/readyz``, and the names of the parts that are not ready."""
    code, told = asked(f"{url}/readyz")
    return [code, *(check["name"] for check in told["checks"] if not check["ok"])]


def scraped(url: str) -> dict[tuple[str, ...], float]:
    """Every sample of ``/metrics`` by its name and the values of its labels; each is defined."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found = {}
    known = {name.removesuffix("_total"): metric for name, metric in metrics().items()}
    for family in text_string_to_metric_families(text):
        metric = known[family.name]
        assert family.type == metric.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample.name
            values = [sample.labels[name] for name in metric.labels]
            found[(sample.name, *values)] = sample.value
    return found


def until(seen: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def status(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Exit code and output of `groundswell status`."""
    done = subprocess.run(
        [*PROGRAM, "status", *arguments],
        cwd=cwd,
        capture_output=True,
        env=environment(),
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode()


def test_up_is_seen_from_outside(tmp_path: Path) -> None:
    """Metrics count what came, readiness names what is away, status says what to do about it."""
    (tmp_path / "groundswell.toml").write_text(SETTINGS, encoding="utf-8")
    posts = [post(n, f"acme message number {n} does not arrive") for n in range(20)]
    posts += [{"source": HOSTILE, "external_id": "1"}, post(99, "of something else")]
    lines(tmp_path / "posts.jsonl", posts)
    with up("up", "--port", "0", cwd=tmp_path) as running:
        running.until("the feed", "/api/feedback", lambda found: len(found["posts"]) == 20)
        until(lambda: missed(running.url)[1:] == ["status page"], "the status page is missed")
        code, told = asked(f"{running.url}/readyz")
        assert code == 503
        away = next(check for check in told["checks"] if not check["ok"])
        assert "127.0.0.1:9" in away["told"]
        assert away["mend"]
        assert asked(f"{running.url}/livez") == (200, {"live": True, "stuck": []})

        found = scraped(running.url)
        items = "groundswell_source_items_total"
        kinds = {kind: found[items, "posts", kind] for kind in ("mentions", "unmatched", "dead")}
        assert kinds == {"mentions": 20, "unmatched": 1, "dead": 1}
        assert found["groundswell_deadletters_total", "intake"] == 1
        assert found["groundswell_event_to_warehouse_seconds_count",] == 20
        assert found["groundswell_consumer_lag_records", "store", "feedback"] == 0
        assert found["groundswell_dependency_up", "warehouse"] == 1
        assert found["groundswell_source_connected", "status page"] == 0
        assert found["groundswell_source_polls_total", "status page", "failed"] >= 1

        code, screen = status(cwd=tmp_path)
        assert code == 1
        assert "cannot reach 127.0.0.1:9" in screen
        assert "1 record could not be read" in screen
        assert not any(c < " " and c != "\n" for c in screen)
        code, text = status("--json", cwd=tmp_path)
        assert (code, json.loads(text)["state"]) == (1, "running")
        running.kill()
    code, screen = status("groundswell.toml", cwd=tmp_path)
    assert code == 1
    assert "nothing runs here" in screen
    assert "20 posts" in screen


def test_a_healthy_process_is_healthy(tmp_path: Path) -> None:
    """Nothing to mend is exit code 0, and /readyz answers 200; without files there is nothing."""
    settings = SETTINGS[: SETTINGS.index("[[incidents]]")]
    (tmp_path / "groundswell.toml").write_text(settings, encoding="utf-8")
    lines(tmp_path / "posts.jsonl", [post(1, "acme is down")])
    code, screen = status(cwd=tmp_path)
    assert code == 1
    assert "groundswell up" in screen
    with up("up", "--port", "0", cwd=tmp_path) as running:
        running.until("the feed", "/api/feedback", lambda found: len(found["posts"]) == 1)
        until(lambda: asked(f"{running.url}/readyz")[0] == 200, "it does not become ready")
        code, screen = status(cwd=tmp_path)
        assert (code, "all is well" in screen) == (0, True), screen


def test_a_process_that_hangs_is_told_from_one_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not answer: that is said, and what its files hold is shown all the same."""
    from config import settings
    from config.operating import looking

    monkeypatch.setattr(looking, "PATIENCE", 1.0)
    lines(tmp_path / "posts.jsonl", [post(1, "acme is down")])
    (tmp_path / "groundswell.toml").write_text(
        SETTINGS[: SETTINGS.index("[[incidents]]")], encoding="utf-8"
    )
    with up("up", "--port", "0", cwd=tmp_path) as running:
        running.until("the feed", "/api/feedback", lambda found: len(found["posts"]) == 1)
        snapshot = tmp_path / "groundswell.duckdb.snapshot"
        until(snapshot.exists, "there is no snapshot")
        os.kill(running.process.pid, signal.SIGSTOP)
        try:
            monkeypatch.chdir(tmp_path)
            told = looking.look(settings.load())
        finally:
            os.kill(running.process.pid, signal.SIGCONT)
    assert told["state"] == "silent"
    assert told["findings"][0]["what"] == "the running process does not answer"
    assert "copy_seconds" in told["warehouse"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_role_of_a_cluster_is_seen(tmp_path: Path) -> None:
    """Each process has its own metrics and health; status reads Kafka and PostgreSQL."""
    posts = [post(n, f"acme message number {n} does not arrive") for n in range(300)]
    lines(tmp_path / "posts.jsonl", posts)
    tracks = '[[track]]\nname = "acme"\nterms = ["acme"]\n'
    sources = recorded("source", "posts.jsonl", "posts")
    with Cluster(tmp_path, tracks, [sources], workers=2, stores=1) as cluster:
        addresses = cluster.addresses()
        assert set(addresses) == {"collect-1", "work-1", "work-2", "store-1", "watch", "web"}
        for name, url in addresses.items():
            until(lambda url=url: asked(f"{url}/readyz")[0] == 200, f"{name} is not ready")  # type: ignore[misc]
            assert asked(f"{url}/livez")[0] == 200
        stored = ("groundswell_receive_to_warehouse_seconds_count",)
        rows = ("groundswell_store_rows_total", "feedback")
        until(lambda: scraped(addresses["store-1"]).get(rows, 0) >= 300, "posts are not stored")
        assert stored in scraped(addresses["store-1"])
        worked = "groundswell_worker_posts_total"
        done = sum(scraped(addresses[name])[worked, "mentions"] for name in ("work-1", "work-2"))
        assert done >= 300
        assert scraped(addresses["collect-1"])["groundswell_source_connected", "posts"] == 1
        lag = ("groundswell_consumer_lag_records", "store", "feedback")
        until(lambda: scraped(addresses["web"]).get(lag) == 0, "the lag stays")

        assert seen(cluster) == (0, [])
        cluster.processes["work-1"].kill()
        cluster.processes["work-2"].kill()
        more = [post(f"later-{n}", "acme is still down") for n in range(5)]
        with (tmp_path / "posts.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in more)
            file.write("nonsense\n")
        cluster.processes["collect-1"].stop()
        cluster.processes["collect-1"].start()
        until(lambda: seen(cluster)[0] == 1, "nobody misses the workers")
        found = seen(cluster)[1]
        # A file that changed is read from its beginning.
        assert any("worker stands still with 305 records" in what for what in found), found
        assert any("1 record could not be read" in what for what in found), found
        (letter,) = json.loads(asked_of(cluster, "deadletter", "list", "--format", "json"))
        assert letter["stage"] == "intake"
        a_person_is_served(cluster)


def a_person_is_served(cluster: Cluster) -> None:
    """`query`, `decide` and `forget` go to the servers that the settings name."""
    sql = "SELECT intent, text FROM feedback WHERE id = 'x:7'"

    def row() -> dict[str, str | None]:
        found: list[dict[str, str | None]] = json.loads(
            asked_of(cluster, "query", sql, "--format", "json")
        )
        return found[0]

    assert row()["text"] == "acme message number 7 does not arrive"
    asked_of(cluster, "decide", "relabel", "x:7", "intent=praise")
    until(lambda: row()["intent"] == "praise", "the decision is not kept")
    receipt = json.loads(asked_of(cluster, "forget", "--mention", "x:7"))
    assert receipt["mentions"] == 1
    assert row()["text"] is None


def seen(cluster: Cluster) -> tuple[int, list[str]]:
    """Exit code and findings of `groundswell status` with the settings of a role."""
    told = json.loads(asked_of(cluster, "status", "--json"))
    found = [each["what"] for each in told["findings"]]
    return (1 if found else 0), found


def asked_of(cluster: Cluster, *command: str) -> bytes:
    """The output of a command with the settings of a collector; only `status` may find fault."""
    done = subprocess.run(
        [*PROGRAM, "--config", "collect-1.toml", *command],
        cwd=cluster.folder,
        env=cluster.processes["collect-1"].environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    if command[0] == "status":
        assert done.returncode == bool(json.loads(done.stdout)["findings"])
    else:
        assert done.returncode == 0, done.stderr.decode()
    return done.stdout
