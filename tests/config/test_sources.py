"""The catalogue opens every kind of source from a settings file."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from config import sources, wiring
from config.settings import load
from pipeline import deadletters
from pipeline.brokers.local import LocalBroker
from pipeline.clock import SystemClock
from pipeline.errors import Misuse
from pipeline.topics import INCIDENTS, TOPICS

FILE = """
[[track]]
name = "acme"
terms = ["acme", "acme pay"]
hashtags = ["acmedown"]

[[source]]
type = "hackernews"

[[source]]
type = "rss"
name = "acme-blog"
url = "https://acme.example/feed.xml"

[[source]]
type = "mastodon"
url = "https://social.example"
token_from = "ACME_TOKEN"

[[source]]
type = "webhook"
name = "desk"
secret_from = "ACME_HOOK"

[[source]]
type = "reddit"
client_id = "acme-app"
secret_from = "ACME_SECRET"
subreddits = ["acme"]
about = ["acme"]

[[source]]
type = "facebook"
page = "777"
token_from = "ACME_TOKEN"
tracks = ["acme"]

[[source]]
type = "facebook-hook"
name = "acme-facebook"
secret_from = "ACME_SECRET"
verify_from = "ACME_TOKEN"
tracks = ["acme"]
"""


def settings(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groundswell.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_source_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its table; credentials come from the environment."""
    monkeypatch.setenv("ACME_TOKEN", "a-token")
    monkeypatch.setenv("ACME_HOOK", "whsec_" + "QUJD" * 11)
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    known = load(settings(tmp_path, FILE))
    opened = sources.open_all(known, SystemClock(), lambda _number: True)
    assert [one.name for one in opened] == [
        "hackernews-source-1",
        "acme-blog",
        "mastodon-source-3",
        "desk",
        "reddit-source-5",
        "facebook-source-6",
        "acme-facebook",
    ]


@pytest.mark.parametrize("missing", ["ACME_TOKEN", "ACME_HOOK", "ACME_SECRET"])
def test_a_missing_credential_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """By the variable and the setting."""
    monkeypatch.setenv("ACME_TOKEN", "a-token")
    monkeypatch.setenv("ACME_HOOK", "whsec_" + "QUJD" * 11)
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    monkeypatch.delenv(missing)
    with pytest.raises(Misuse, match=f"{missing}.*_from"):
        sources.open_all(load(settings(tmp_path, FILE)), SystemClock())


def test_a_credential_has_no_place_in_the_file(tmp_path: Path) -> None:
    """Only the name of a variable is a value there."""
    text = '[[source]]\ntype = "webhook"\nname = "desk"\nsecret_from = "whsec_QUJD"\n'
    with pytest.raises(Misuse, match="secret_from"):
        sources.open_all(load(settings(tmp_path, text)), SystemClock())


def test_two_webhooks_of_one_platform_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal ids of theirs would be one post; a `platform` for one of them mends it."""
    monkeypatch.setenv("ACME_HOOK", "whsec_" + "QUJD" * 11)
    table = '[[source]]\ntype = "webhook"\nsecret_from = "ACME_HOOK"\nname = '
    both = f'{table}"desk"\n{table}"desk2"\n'
    with pytest.raises(Misuse, match=r"desk and desk2 .*`platform`"):
        sources.open_all(load(settings(tmp_path, both)), SystemClock())
    mended = load(settings(tmp_path, both + 'platform = "desk2"\n'))
    assert len(sources.open_all(mended, SystemClock())) == 2


def test_no_vendor_s_package_is_imported_for_what_is_not_configured() -> None:
    """Opening the catalogue costs no import of a platform's own."""
    vendors = ("feedparser", "mastodon", "praw", "pyfacebook", "tweepy", "atproto", "requests")
    code = (
        "import config.sources, sys; from config.settings import Settings;"
        "from pipeline.clock import SystemClock;"
        "config.sources.open_all(Settings(), SystemClock());"
        f"print([name for name in {vendors!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert told.stdout.strip() == b"[]"


TOOLS = """
[[incidents]]
type = "pagerduty"
secret_from = "ACME_PAGER"

[[incidents]]
type = "incidentio"
token_from = "ACME_TOKEN"

[[incidents]]
type = "jsm"
url = "https://acme.atlassian.example"
email = "ann@acme.example"
token_from = "ACME_TOKEN"
secret_from = "ACME_PAGER"

[[incidents]]
type = "rootly"
token_from = "ACME_TOKEN"

[[incidents]]
type = "grafana"
name = "grafana"
secret_from = "ACME_PAGER"

[[incidents]]
type = "webhook"
name = "desk"
secret_from = "ACME_PAGER"
signing = "hmac"
paths = { id = "ticket.number", title = "ticket['short.title']" }
statuses = { "Zu" = "resolved" }

[[incidents]]
type = "folder"
path = "incidents"

[[incidents]]
type = "statuspage"
url = "https://status.acme.example"
shape = "betterstack"
"""


def test_every_incident_tool_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with a secret take deliveries; one that only listens goes nowhere."""
    monkeypatch.setenv("ACME_TOKEN", "a-token")
    monkeypatch.setenv("ACME_PAGER", "a-secret")
    known = load(settings(tmp_path, TOOLS))
    opened = sources.open_all(known, SystemClock())
    assert [one.name for one in opened if hasattr(one, "receive")] == [
        "pagerduty-incidents-1",
        "jsm-incidents-3",
        "grafana",
        "desk",
    ]
    assert len(opened) == 8
    reached = {name for name, _ in sources.addresses(known)}
    assert "pagerduty-incidents-1" not in reached
    assert {"incidentio-incidents-2", "jsm-incidents-3"} <= reached


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('type = "pagerduty"', "token_from"),
        ('type = "jsm"\nurl = "https://a.example"\ntoken_from = "ACME_TOKEN"', "email"),
        ('type = "webhook"\nname = "a"\nsecret_from = "ACME_TOKEN"\npaths = {id = "a["}', "path"),
        ('type = "webhook"\nname = "a"\nsecret_from = "ACME_TOKEN"\nsigned = "x"', "signed"),
        ('type = "webhook"\nname = "a b"\nsecret_from = "ACME_TOKEN"', "name"),
        ('type = "rootly"\ntoken_from = "ACME_TOKEN"\npoll_seconds = 1', "poll_seconds"),
    ],
)
def test_a_tool_that_cannot_work_is_refused(
    table: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the name of the setting."""
    monkeypatch.setenv("ACME_TOKEN", "a-token")
    known = load(settings(tmp_path, f"[[incidents]]\n{table}\n"))
    with pytest.raises(Misuse, match=told):
        sources.open_all(known, SystemClock())


def test_dead_letters_of_incidents_belong_to_incidents(tmp_path: Path) -> None:
    """A file of the folder that cannot be read is none of the posts."""
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "c.json").write_text("{bad\n")
    text = f'[[incidents]]\ntype = "folder"\npath = "{tmp_path / "inc"}"\npoll_seconds = 1\n'
    known = load(settings(tmp_path, text))
    with closing(LocalBroker(tmp_path / "b.broker", SystemClock())) as broker:
        broker.ensure(TOPICS)
        opened = sources.open_all(known, SystemClock())
        (feed,) = wiring.feeds(known, opened, broker, SystemClock()).values()
        with closing(feed):
            while not feed.totals["dead"]:
                feed.turn(0.1)
        (letter,) = deadletters.listing(broker)
        assert letter.topic == INCIDENTS
        assert deadletters.replay(broker, [letter.id]) == 0
        assert deadletters.listing(broker) == [letter]
