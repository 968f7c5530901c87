"""The house itself: whose names are whose, and whether the docs are still true."""

import json
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from config import cli, schemas, settings
from pipeline.decoding import check
from pipeline.model import Incident, Mention
from pipeline.strangers import Strangers

ROOT = Path(__file__).parent.parent
OUR_PACKAGES = ("collectors", "pipeline", "sinks", "config", "web")


@pytest.mark.parametrize("name", OUR_PACKAGES)
def test_nobody_else_owns_our_top_level_names(name: str) -> None:
    """A stray `config` in site-packages would hide ours in an editable install."""
    owners = set(packages_distributions().get(name, ()))
    assert owners <= {"groundswell"}
    module = __import__(name)
    assert Path(str(module.__file__)).parent == ROOT / name


def test_schemas_in_docs_are_current() -> None:
    """`make schemas` was run after the last change of a word."""
    written = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "docs/schemas").glob("*")}
    assert written == schemas.files()


def test_every_command_explains_itself_and_stands_in_the_readme() -> None:
    """A command without a description, or one that README does not name, is a secret."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    actions = [a for a in cli.parser()._actions if a.dest == "command"]
    for name, command in actions[0].choices.items():  # type: ignore[union-attr]
        assert command.description, name
        assert f"groundswell {name}" in readme, name


def test_the_lines_of_the_readme_show_what_matters() -> None:
    """A post with its author and no unknown field; an incident that opens after it began."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    post, told = (
        json.loads(line) for line in re.findall(r"^```json\n(.*)\n```", readme, re.MULTILINE)
    )
    strangers = Strangers()
    strangers.look(post)
    assert strangers.told() is None
    assert check(Mention, post).author.id is not None
    incident = check(Incident, told)
    assert incident.opened_at > incident.started_at


def test_starter_settings_are_valid_and_name_every_section() -> None:
    """What `groundswell init` writes can be read, with its commented lines switched on too."""
    text = (ROOT / "config/starter.toml").read_text(encoding="utf-8")
    on = "\n".join(
        line[1:] if line.startswith(("#[", "#type", "#paths", "#dir", "#servers", "#url")) else line
        for line in text.splitlines()
    )
    values = tomllib.loads(on)
    assert set(values) >= set(settings.Settings.model_fields) - {"broker"}
    settings.Settings(**values)


def test_pins_carry_hashes_and_name_no_host() -> None:
    """Pins are checked by hash and leave it to the machine where packages come from."""
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index-url" not in text
