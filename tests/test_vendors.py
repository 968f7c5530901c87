"""Others' packages: none is loaded for a source that nobody configured, and all get on together."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from config.sources import KINDS

ROOT = Path(__file__).parents[1]
PACKAGES = ("collectors", "config", "pipeline", "sinks", "web")
#: What the extras of sources bring: each is loaded by its own source only, and not before it asks.
SDKS = {
    "atproto",
    "facebook",
    "feedparser",
    "google",
    "incident_io",
    "jwt",
    "mastodon",
    "pagerduty",
    "praw",
    "pyfacebook",
    "tweepy",
    "websockets",
}
#: Where the package of a vendor is imported, and nowhere else.
HOMES = {
    "adbc_driver_manager": "sinks/postgres_",
    "adbc_driver_postgresql": "sinks/postgres_",
    "atproto": "collectors/bluesky/",
    "atproto_client": "collectors/bluesky/",
    "clickhouse_connect": "sinks/clickhouse_",
    "duckdb": "sinks/duckdb_",
    "feedparser": "collectors/rss.py",
    "google": "collectors/googleplay/",
    "jwt": "collectors/appstore/",
    "kafka": "pipeline/brokers/kafka",
    "mastodon": "collectors/mastodon/",
    "praw": "collectors/reddit/",
    "prawcore": "collectors/reddit/",
    "pyfacebook": "collectors/facebook/",
    "redis": "pipeline/indexes/",
    "tweepy": "collectors/x/",
    "websockets": "collectors/bluesky/",
}
#: How libraries are told not to look at certificates.
SWITCHES = {"verify", "check_hostname", "ssl_check_hostname", "verify_ssl", "ssl_verify"}
NAMES = {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "disable_warnings"}


def loaded_by(code: str) -> list[set[str]]:
    """The SDKs that a fresh process has loaded at each ``look()`` of the code."""
    look = "look = lambda: print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys\n{look}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return [SDKS & set(line.split()) for line in ran.stdout.splitlines()]


def test_the_file_of_a_source_loads_no_package_of_a_platform() -> None:
    """Settings are read from it to be checked, long before anybody asks the platform."""
    places = [kind.place.partition(":")[0] for kind in KINDS]
    loaded = loaded_by("\n".join(f"import {place}; look()" for place in places))
    assert dict(zip(places, loaded, strict=True)) == {place: set() for place in places}


def test_a_source_that_is_not_configured_costs_nothing() -> None:
    """Everything that ``up`` needs, with a recorded source only: no SDK is there."""
    code = """
from config import sources, up, wiring
from config.settings import Settings
from pipeline.clock import SystemClock
known = Settings.model_validate({"source": [{"type": "recorded", "paths": ["pyproject.toml"]}]})
assert sources.open_all(known, SystemClock())
sources.listing(known)
look()
"""
    assert loaded_by(code) == [set()]


def product() -> dict[str, ast.AST]:
    """Every file of the product, parsed, by its path."""
    paths = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    assert len(paths) > 100
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths
    }


def imported(tree: ast.AST) -> set[str]:
    """The packages that a file imports, at once or in one of its functions."""
    told: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            told += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            told.append(node.module or "")
    return {name.partition(".")[0] for name in told}


def test_the_package_of_a_vendor_is_known_to_its_adapter_only() -> None:
    """Whoever swaps a vendor's client has one place to look at."""
    used = {(name, file) for file, tree in product().items() for name in imported(tree)}
    assert {name for name, _ in used} >= set(HOMES)
    strangers = {
        (name, file) for name, file in used if name in HOMES and not file.startswith(HOMES[name])
    }
    assert strangers == set()


def test_the_packages_get_on_together() -> None:
    """With all extras: no package wants another version of one than is there."""
    ran = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", ["google-play-scraper", "app-store-scraper", "facebook-sdk"])
def test_packages_that_do_harm_stay_out(name: str) -> None:
    """They stop looking at certificates for the whole process, drag others down, or are dead."""
    pinned = (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    assert f"\n{name}==" not in f"\n{pinned}"


def off_switches(tree: ast.AST) -> list[int]:
    """The lines that tell a library not to look at certificates."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in SWITCHES:
            found += [node.value.lineno] if _is_off(node.value) else []
        elif isinstance(node, ast.Assign):
            names = {getattr(target, "attr", getattr(target, "id", "")) for target in node.targets}
            found += [node.lineno] if names & SWITCHES and _is_off(node.value) else []
        elif isinstance(node, ast.Attribute | ast.Constant):
            named = node.attr if isinstance(node, ast.Attribute) else node.value
            found += [node.lineno] if named in NAMES else []
    return found


def _is_off(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value


def test_certificates_are_always_looked_at() -> None:
    """No line of the product, and none of its settings, switches that off."""
    found = {f"{file}:{line}" for file, tree in product().items() for line in off_switches(tree)}
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        "httpx.Client(verify=False)",
        "session.verify = False",
        "context.check_hostname = False",
        "ssl.CERT_NONE",
        "ssl._create_unverified_context()",
        "getattr(ssl, 'CERT_NONE')",
        "KafkaConsumer(ssl_check_hostname=0)",
    ],
)
def test_such_a_line_would_be_found(line: str) -> None:
    """The look at the code sees what it is there for."""
    assert off_switches(ast.parse(line)) == [1]
