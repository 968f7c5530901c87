"""The command ``migrate`` on a warehouse of the first release."""

from pathlib import Path

from tests.end_to_end.program import run
from tests.sinks.test_migrations import old_file


def test_migrate(tmp_path: Path) -> None:
    """It says what it applied, then that nothing is to do; no warehouse is misuse."""
    run("migrate", cwd=tmp_path, code=2)
    path = tmp_path / "groundswell.duckdb"
    old_file(path, 1)
    (tmp_path / "groundswell.duckdb.key").write_bytes(bytes(range(32)))
    told = run("migrate", cwd=tmp_path).stdout.decode().splitlines()
    assert told[0] == "applied 2 (indexes and macros)"
    assert told[-1].endswith("was 1")
    assert b"nothing to do" in run("migrate", cwd=tmp_path).stdout
