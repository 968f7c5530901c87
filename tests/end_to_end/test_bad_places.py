"""Disks, files, names and clocks of the machine: one clear line, or the same answers as ever."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.end_to_end.program import lines, post, query, run, up

COMMANDS = {
    "replay": ("replay", "posts.jsonl"),
    "query": ("query", "SELECT id FROM feedback"),
    "export": ("export", "out"),
    "forget": ("forget", "--mention", "x:1"),
    "relabel": ("relabel", "--again"),
    "migrate": ("migrate",),
    "decide": ("decide", "relabel", "x:1", "intent=praise"),
    "up": ("up", "--port", "0"),
}
#: What the warehouse of ``kept`` holds.
IDS = {f"x:{n}" for n in range(3)}
WRITING = sorted(COMMANDS.keys() - {"query", "export"})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with posts, and the warehouse after their replay."""
    folder = tmp_path_factory.mktemp("kept")
    lines(folder / "posts.jsonl", [post(n, f"my messages do not arrive {n}") for n in range(3)])
    run("replay", "posts.jsonl", cwd=folder)
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(kept, tmp_path / "here"))


def one_line(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What it says; replays tell the shares of their stages besides, `up` its log."""
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("groundswell: ")]
    told = [line for line in told if "no source is configured" not in line]
    assert len(told) == 1, done.stderr.decode()
    return told[0]


def held(folder: Path) -> set[str]:
    """The ids of the mentions in its warehouse."""
    with closing(DuckDBWarehouse(folder / "groundswell.duckdb", read_only=True)) as warehouse:
        return {row[0] for row in warehouse.sql("SELECT id FROM feedback").rows}


def cut_short(path: Path) -> str:
    os.truncate(path, 20_000)
    return "is damaged"


def posts_instead(path: Path) -> str:
    shutil.copy(path.parent / "posts.jsonl", path)
    return "it is a file of JSON"


def a_folder_instead(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "is a folder"


@pytest.mark.parametrize("made", [cut_short, posts_instead, a_folder_instead])
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_what_is_no_sound_warehouse_is_told_by_every_command(
    folder: Path, command: str, made: "object"
) -> None:
    """The same line whatever was asked; the file stays as it is, and no folder is made for it."""
    assert callable(made)
    path = folder / "groundswell.duckdb"
    told = made(path)
    before = path.read_bytes() if path.is_file() else b""
    done = run(*COMMANDS[command], cwd=folder, code=2 if made is a_folder_instead else 1)
    assert told in one_line(done)
    assert "groundswell.duckdb" in one_line(done)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert not (folder / "out").exists()


@pytest.fixture
def closed(folder: Path) -> Iterator[Path]:
    """A folder that nobody may write to."""
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize("command", WRITING)
def test_a_folder_that_cannot_be_written(closed: Path, command: str) -> None:
    """Whoever writes says which folder it is; what is held stays as it is."""
    done = run(*COMMANDS[command], cwd=closed, code=1, powerless=True)
    assert "cannot be written" in one_line(done)
    assert str(closed) in one_line(done)
    assert held(closed) == IDS


def test_a_folder_that_cannot_be_written_is_read(closed: Path) -> None:
    """Reading goes on."""
    reads = run("query", "SELECT count(*) AS n FROM feedback", cwd=closed, powerless=True)
    assert b"3" in reads.stdout


def test_an_export_to_where_nothing_can_be_written(folder: Path) -> None:
    """A closed folder, and a file where the folder should be, are named."""
    (folder / "closed").mkdir(mode=0o500)
    for where in ("closed/out", "posts.jsonl"):
        done = run("export", where, cwd=folder, code=1, powerless=True)
        assert where.partition("/")[0] in one_line(done)


@pytest.fixture
def disk(kept: Path, tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB with the warehouse on it."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root: the full disk is NOT tested here")
    for path in kept.iterdir():
        shutil.copy(path, place)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("command", WRITING)
def test_a_disk_that_can_only_be_read(disk: Path, command: str) -> None:
    """As a folder without rights, also for root."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert "cannot be written" in one_line(run(*COMMANDS[command], cwd=disk, code=1))
    assert held(disk) == IDS


def test_a_disk_that_fills_during_a_replay(disk: Path, tmp_path: Path) -> None:
    """It says so and stops; with room again the same replay ends with every post."""
    ways = (f"https://x.example/{os.urandom(1_500).hex()}" for _ in range(5_000))
    many = [post(n, f"my messages do not arrive {n}", url=url) for n, url in enumerate(ways)]
    file = lines(tmp_path / "many.jsonl", many)
    done = run("replay", file, cwd=disk, code=1)
    assert "is full" in one_line(done)
    assert "x:1" in held(disk)
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    assert b"5,000 mentions" in run("replay", file, cwd=disk).stdout
    assert held(disk) == {f"x:{n}" for n in range(5_000)}


@pytest.mark.parametrize("command", ["forget", "relabel", "decide", "export"])
def test_a_disk_without_any_room(disk: Path, command: str) -> None:
    """The line says that the disk is full; nothing that was held is lost."""
    with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    done = run(*COMMANDS[command], cwd=disk, code=1)
    assert "full" in one_line(done) or "No space left" in one_line(done)
    (disk / "ballast").unlink()
    assert held(disk) == IDS
    assert b"3 mentions" in run("replay", "posts.jsonl", cwd=disk).stdout


ODD = 'O\'Brien "and" sons; --'


def test_names_with_quotes(tmp_path: Path) -> None:
    """Of folders, files, tracks, components and sources: they are names and nothing else."""
    folder = tmp_path / ODD
    folder.mkdir()
    name = json.dumps(ODD)
    track = f'[[track]]\nname = {name}\nterms = ["messages"]\n'
    part = f"[[track.component]]\nname = {name}\naliases = [{name}]\n"
    source = f'[[source]]\ntype = "recorded"\nname = {name}\npaths = ["{ODD[:7]}.jsonl"]\n'
    (folder / "groundswell.toml").write_text(track + part + source, encoding="utf-8")
    file = lines(folder / f"{ODD[:7]}.jsonl", [post("it's", "my messages do not arrive")])
    warehouse = folder / f"{ODD}.duckdb"
    run("replay", file, "--warehouse", warehouse, cwd=folder)
    assert query("SELECT id, track FROM feedback", warehouse) == [{"id": "x:it's", "track": ODD}]
    run("export", folder / "o'ut", "--warehouse", warehouse, cwd=folder)
    run("relabel", "--again", "--warehouse", warehouse, cwd=folder)
    run("decide", "relabel", "x:it's", "intent=praise", "--warehouse", warehouse, cwd=folder)
    assert query("SELECT intent FROM feedback", warehouse) == [{"intent": "praise"}]
    done = run("forget", "--mention", "x:it's", "--by", ODD, "--warehouse", warehouse, cwd=folder)
    assert json.loads(done.stdout)["by"] == ODD
    with up("up", "--port", "0", "--warehouse", folder / "li\"ve's.duckdb", cwd=folder) as running:
        found = running.until("the post", "/api/feedback", lambda told: "it's" in json.dumps(told))
        assert name in json.dumps(found["posts"])


def told_in(zone: str, folder: Path) -> tuple[list[bytes], list[str], list[tuple[str, str]]]:
    """What queries, an export and the page say of one file's posts under this TZ."""
    at = ["2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z", "2026-03-29T01:30:00", "2026-03-02"]
    posts = [post(n, "my messages do not arrive", at=when) for n, when in enumerate(at)]
    lines(folder / "posts.jsonl", posts)
    run("replay", "posts.jsonl", cwd=folder, zone=zone)
    asked = (
        ("json", "SELECT id, said_at, event_at, event_at::date AS day FROM feedback ORDER BY id"),
        ("table", "SELECT hour, mentions FROM mentions_hourly ORDER BY ALL"),
        ("csv", "SELECT TIMESTAMPTZ '2026-03-02 09:00:00+00' AS at"),
    )
    found = [
        run("query", sql, "--format", form, cwd=folder, zone=zone).stdout for form, sql in asked
    ]
    run("export", "out", "--format", "csv", cwd=folder, zone=zone)
    days = sorted(str(path.relative_to(folder)) for path in (folder / "out").rglob("date_day=*"))
    with up("up", "--port", "0", cwd=folder, zone=zone) as running:
        page = running.until("the feed", "/api/feedback", lambda got: len(got["posts"]) == 4)
    return found, days, [(row["id"], row["event_at"]) for row in page["posts"]]


@pytest.fixture(scope="module")
def told_in_utc(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The answers that all zones must give."""
    return told_in("UTC", tmp_path_factory.mktemp("utc"))


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_a_time_zone_of_the_machine_bends_no_answer(
    tmp_path: Path, told_in_utc: object, zone: str
) -> None:
    """Replay, query, export and page say the same as in UTC, whatever TZ says."""
    told = told_in(zone, tmp_path)
    assert told == told_in_utc
    assert any("date_day=2026-03-01" in day for day in told[1])
