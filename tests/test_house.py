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


#: A file or folder of ours as docs name it; ``kit/`` is that of the collectors.
PLACE = re.compile(
    r"(?<![\w/])(?:(?:collectors|kit|pipeline|sinks|config|web|tests|bench|docs)/[\w./-]*\w|\w+\.py)"
)
PLACES = [ROOT / "docs", ROOT / "README.md", ROOT / "bench/README.md"]


def in_docs(pattern: re.Pattern[str]) -> set[str]:
    """What docs write as code and the pattern finds; names in capitals are the reader's own."""
    paths = [path for place in PLACES for path in (place, *place.rglob("*.md")) if path.is_file()]
    quoted = re.findall(r"`[^`\n]+`", "\n".join(path.read_text("utf-8") for path in paths))
    found = {one for code in quoted for one in pattern.findall(code)}
    return {one for one in found if not re.search("[A-Z]{4}", one)}


def test_places_that_docs_name_are_there() -> None:
    """Whoever follows the docs into the code arrives, wherever it has moved to."""
    named = in_docs(PLACE)
    assert len(named) > 30
    rooms = [ROOT / name for name in (*OUR_PACKAGES, "tests", "bench", "docs")]
    ours = {f"/{path.relative_to(ROOT)}" for room in rooms for path in room.rglob("*")}
    assert {one for one in named if not any(path.endswith(f"/{one}") for path in ours)} == set()


def test_every_package_has_its_place_in_the_docs() -> None:
    """Who adds one says what belongs there."""
    told = (ROOT / "docs/structure.md").read_text(encoding="utf-8")
    rooms = {path.parent for name in OUR_PACKAGES for path in (ROOT / name).rglob("__init__.py")}
    platforms = {ROOT / "collectors", ROOT / "collectors/incidents"}  # theirs is another page
    ours = {
        str(room.relative_to(ROOT))
        for room in rooms
        if room.parent not in platforms or room.name in {"incidents", "kit"}
    }
    assert {room for room in ours if f"`{room}" not in told} == set()


def test_tests_that_docs_name_are_there() -> None:
    """`pytest -k WORD` finds something: a figure can be measured again."""
    words = in_docs(re.compile(r"pytest .*-k (\w+)"))
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    names = re.findall(r"def (test_\w+)", "\n".join(texts))
    assert words
    assert {word for word in words if not any(word in name for name in names)} == set()


def test_pins_carry_hashes_and_name_no_host() -> None:
    """Pins are checked by hash and leave it to the machine where packages come from."""
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index-url" not in text
