"""The demo's scenario, replayed once for all who look at its warehouse."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.demo import generator
from config.demo.texts import scenario
from tests.end_to_end.program import run

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scenario's files and the warehouse after its replay."""
    folder = tmp_path_factory.mktemp("scenario")
    posts, incidents, _ = generator.write(folder, START)
    (folder / "groundswell.toml").write_text(settings(), encoding="utf-8")
    done = run("replay", posts, "--incidents", incidents, cwd=folder)
    (folder / "summary").write_bytes(done.stdout)
    return folder


def settings() -> str:
    """The scenario's tracks as a settings file."""
    lines = []
    for track in scenario()["track"]:
        lines.append("[[track]]")
        lines += [f"{k} = {json.dumps(v)}" for k, v in track.items() if k != "component"]
        for component in track["component"]:
            lines.append("[[track.component]]")
            lines += [f"{k} = {json.dumps(v)}" for k, v in component.items()]
    return "\n".join(lines)
