"""The catalogue of sources: which types there are, what each needs, and how one is opened."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from config.settings import Section, Settings, SourceSettings
from pipeline.errors import GroundswellError, Misuse
from pipeline.explaining import explain
from pipeline.ports import Clock, Collector
from pipeline.tracks import Track


class RecordedSettings(Section):
    """Recorded files as a source."""

    paths: tuple[Path, ...] = Field(min_length=1, description="Files of JSON lines, .gz too.")
    name: str | None = Field(None, description="Its name among the sources.")
    speed: float | None = Field(
        None, gt=0, description="N times as fast as it happened; without: as fast as possible."
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of source: where its class stands, and the settings without which it cannot run."""

    name: str
    kind: Literal["social", "incident"]
    place: str  # module:Class
    settings: type[BaseModel] | str  # the class, or module:Class beside the source
    needs: tuple[str, ...] = ()
    rechecks: bool = False  # it looks again at what is kept, and is told what that is
    listens: bool = False  # it hears everybody, and is told for whom to listen and who is known
    address: str = ""  # where it goes unless its settings name another ``url``
    pushes: bool = False  # it has a webhook, too: with a secret alone it goes nowhere

    def called(self, given: SourceSettings, position: int) -> str:
        """The name of the source of one table of the settings."""
        table = "source" if self.kind == "social" else "incidents"
        return str(given.own.get("name") or f"{self.name}-{table}-{position}")

    def open(
        self,
        given: SourceSettings,
        position: int,
        clock: Clock,
        tracks: Sequence[Track] = (),
        passed: Callable[[str], bool] | None = None,
    ) -> Collector:
        """The source for one table of the settings. Raises Misuse naming what is wrong with it."""
        table = "source" if self.kind == "social" else "incidents"
        settings = _found(self.settings) if isinstance(self.settings, str) else self.settings
        try:
            own: BaseModel = settings.model_validate(given.own)
        except ValidationError as error:
            raise Misuse(
                f"[[{table}]] number {position}, type {self.name}: {explain(error, show=True)}"
            ) from error
        values = own.model_dump()
        values["name"] = self.called(given, position)
        if self.listens:
            values |= {"tracks": tracks, "known": passed}
        if self.rechecks and (held := getattr(passed, "held", None)) is not None:
            values["held"] = held
        collector: Collector = _found(self.place)(clock=clock, **values)
        return collector


def _found(place: str) -> Any:
    """The class at ``module:Class``, imported only now: each platform brings its own packages."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


KINDS = (
    Kind(
        "appstore",
        "social",
        "collectors.appstore.source:AppStore",
        "collectors.appstore.source:AppStoreSettings",
        ("app", "tracks"),
        address="https://itunes.apple.com",
    ),
    Kind(
        "bluesky",
        "social",
        "collectors.bluesky.jetstream:Bluesky",
        "collectors.bluesky.jetstream:BlueskySettings",
        listens=True,
        address="wss://jetstream2.us-east.bsky.network",
    ),
    Kind(
        "bluesky-search",
        "social",
        "collectors.bluesky.search:BlueskySearch",
        "collectors.bluesky.search:BlueskySearchSettings",
        ("account", "password_from"),
        rechecks=True,
        listens=True,
        address="https://bsky.social",
    ),
    Kind(
        "googleplay",
        "social",
        "collectors.googleplay.source:GooglePlay",
        "collectors.googleplay.source:GooglePlaySettings",
        ("app", "tracks", "key_from"),
        address="https://androidpublisher.googleapis.com",
    ),
    Kind(
        "facebook",
        "social",
        "collectors.facebook.source:Facebook",
        "collectors.facebook.source:FacebookSettings",
        ("page", "token_from", "tracks"),
        rechecks=True,
        address="https://graph.facebook.com",
    ),
    Kind(
        "facebook-hook",
        "social",
        "collectors.facebook.hook:FacebookHook",
        "collectors.facebook.hook:FacebookHookSettings",
        ("name", "secret_from", "verify_from", "tracks"),
    ),
    Kind(
        "hackernews",
        "social",
        "collectors.hackernews:HackerNews",
        "collectors.hackernews:HackerNewsSettings",
        rechecks=True,
        listens=True,
        address="https://hn.algolia.com/api/v1",
    ),
    Kind(
        "mastodon",
        "social",
        "collectors.mastodon.source:Mastodon",
        "collectors.mastodon.source:MastodonSettings",
        ("url",),
        rechecks=True,
        listens=True,
    ),
    Kind("recorded", "social", "collectors.recorded:Recorded", RecordedSettings, ("paths",)),
    Kind(
        "reddit",
        "social",
        "collectors.reddit.source:Reddit",
        "collectors.reddit.source:RedditSettings",
        ("client_id", "secret_from"),
        rechecks=True,
        listens=True,
        address="https://oauth.reddit.com",
    ),
    Kind("rss", "social", "collectors.rss:Rss", "collectors.rss:RssSettings", ("url",)),
    Kind(
        "folder",
        "incident",
        "collectors.incidents.folder:Folder",
        "collectors.incidents.folder:FolderSettings",
        ("path",),
    ),
    Kind(
        "grafana",
        "incident",
        "collectors.incidents.hook:grafana",
        "collectors.incidents.hook:GrafanaSettings",
        ("name", "secret_from"),
        pushes=True,
    ),
    Kind(
        "jsm",
        "incident",
        "collectors.incidents.jsm:jsm",
        "collectors.incidents.jsm:JsmSettings",
        ("url", "token_from or secret_from"),
        pushes=True,
    ),
    Kind(
        "webhook",
        "incident",
        "collectors.incidents.hook:hook",
        "collectors.incidents.hook:HookSettings",
        ("name", "secret_from"),
    ),
    Kind(
        "incidentio",
        "incident",
        "collectors.incidents.incidentio:incidentio",
        "collectors.incidents.incidentio:IncidentIoSettings",
        ("token_from or secret_from",),
        pushes=True,
        address="https://api.incident.io",
    ),
    Kind(
        "rootly",
        "incident",
        "collectors.incidents.rootly:rootly",
        "collectors.incidents.rootly:RootlySettings",
        ("token_from or secret_from",),
        pushes=True,
        address="https://api.rootly.com",
    ),
    Kind(
        "pagerduty",
        "incident",
        "collectors.incidents.pagerduty:pagerduty",
        "collectors.incidents.pagerduty:PagerDutySettings",
        ("token_from or secret_from",),
        pushes=True,
        address="https://api.pagerduty.com",
    ),
    Kind(
        "statuspage",
        "incident",
        "collectors.incidents.statuspage.source:Statuspage",
        "collectors.incidents.statuspage.source:StatuspageSettings",
        ("url",),
    ),
    Kind(
        "recorded",
        "incident",
        "collectors.incidents.recorded:RecordedIncidents",
        RecordedSettings,
        ("paths",),
    ),
    Kind(
        "webhook",
        "social",
        "collectors.webhook:Webhook",
        "collectors.webhook:WebhookSettings",
        ("name", "secret_from"),
    ),
    Kind(
        "x",
        "social",
        "collectors.x.source:X",
        "collectors.x.source:XSettings",
        ("token_from",),
        rechecks=True,
        listens=True,
        address="https://api.twitter.com",
    ),
)


def own_accounts(known: Settings) -> list[str]:
    """Handles and ids under which we ourselves speak: what the tracks name, and our apps."""
    apps = [str(given.own.get("app")) for given in known.source if given.type == "googleplay"]
    return [*(name for track in known.track for name in track.own), *apps]


def open_all(
    known: Settings, clock: Clock, passed: Callable[[str], bool] | None = None
) -> list[Collector]:
    """Every configured source of posts and of incidents. Raises Misuse for an unknown type.

    ``passed`` tells sources that hear everybody whether a mention or an author may be known.
    """
    opened = [
        find(kind, given.type).open(given, position, clock, known.track, passed)
        for kind, given, position in _tables(known)
    ]
    _check_names([source.name for source in opened])
    _check_webhooks(known)
    return opened


def open_each(known: Settings, clock: Clock) -> tuple[list[str], list[str]]:
    """The names of the sources that can be opened, and a line for each thing that is wrong."""
    names: list[str] = []
    wrong: list[str] = []
    for kind, given, position in _tables(known):
        try:
            names.append(find(kind, given.type).open(given, position, clock, known.track).name)
        except GroundswellError as error:
            wrong.append(str(error))
    checks: list[Callable[[], None]] = [
        lambda: _check_names(names),
        lambda: _check_webhooks(known),
        lambda: _check_tracks(known),
    ]
    for look in checks:
        try:
            look()
        except Misuse as error:
            wrong.append(str(error))
    return names, wrong


def _tables(known: Settings) -> Iterator[tuple[str, SourceSettings, int]]:
    """Every table of a source: of posts or incidents, what stands in it, its number."""
    for kind, tables in (("social", known.source), ("incident", known.incidents)):
        for position, given in enumerate(tables, 1):
            yield kind, given, position


def _check_names(names: Sequence[str]) -> None:
    if twice := {name for name in names if names.count(name) > 1}:
        raise Misuse(f"two sources share a name, and so a cursor: {', '.join(sorted(twice))}")


def _check_tracks(known: Settings) -> None:
    """Raises Misuse for sources that are for tracks which nobody has written."""
    there = [track.name for track in known.track]
    told = []
    for kind, given, position in _tables(known):
        tracks = given.own.get("tracks") or ()
        if strange := [repr(name) for name in tracks if name not in there]:
            table = "source" if kind == "social" else "incidents"
            told.append(f"[[{table}]] number {position} names {', '.join(strange)}")
    if told and there:
        raise Misuse(
            f"no [[track]] has such a name: {'; '.join(told)}; there are: {', '.join(there)}"
        )


def _check_webhooks(known: Settings) -> None:
    """Raises Misuse for webhooks whose posts would replace each other's under the same ids."""
    named: dict[str, str] = {}
    for given in known.source:
        if given.type != "webhook":
            continue
        name, platform = str(given.own.get("name")), str(given.own.get("platform", "webhook"))
        if (other := named.setdefault(platform, name)) != name:
            raise Misuse(
                f"the webhooks {other} and {name} both bring posts of {platform!r}, where equal "
                "ids are one post: give one of them a `platform` of its own"
            )


def addresses(known: Settings) -> list[tuple[str, str]]:
    """Name and address of every configured source that goes somewhere."""
    found = []
    for kind in KINDS:
        tables = known.source if kind.kind == "social" else known.incidents
        for position, given in enumerate(tables, 1):
            address = str(given.own.get("url") or kind.address)
            only_listens = "secret_from" in given.own and "token_from" not in given.own
            if given.type == kind.name and address and not (kind.pushes and only_listens):
                found.append((kind.called(given, position), address))
    return found


def configured(known: Settings) -> list[tuple[str, SourceSettings]]:
    """Name and table of every configured source, of posts first. Raises Misuse."""
    return [
        (find(kind, given.type).called(given, position), given)
        for kind, given, position in _tables(known)
    ]


def find(kind: str, name: str) -> Kind:
    """The type of that name. Raises Misuse listing the types there are."""
    of_kind = [known for known in KINDS if known.kind == kind]
    for known in of_kind:
        if known.name == name:
            return known
    types = ", ".join(sorted(known.name for known in of_kind))
    raise Misuse(f"no source of type {name!r}; there are: {types}")


def listing(known: Settings, running: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """What ``groundswell sources`` prints: every type, whether it is configured, and its health.

    ``running`` is what the running process says of itself (``/api/status``), None if none runs.
    """
    told = {source["name"]: source for source in (running or {}).get("sources", ())}
    rows = []
    for kind in KINDS:
        tables = known.source if kind.kind == "social" else known.incidents
        names = [kind.called(t, n) for n, t in enumerate(tables, 1) if t.type == kind.name]
        healths = [_health(told.get(name), running is not None) for name in names]
        rows.append(
            {
                "name": kind.name,
                "kind": kind.kind,
                "configured": bool(names),
                "needs": [] if names else list(kind.needs),
                "health": ", ".join(dict.fromkeys(healths)) or "not configured",
                "looked_again_at": _looked_again(told.get(name) for name in names),
            }
        )
    return rows


def _looked_again(told: Iterable[Mapping[str, Any] | None]) -> str | None:
    """When the last of some sources looked again at what is kept: the oldest of these times."""
    return min((at for one in told if one and (at := one.get("looked_again_at"))), default=None)


def _health(told: Mapping[str, Any] | None, is_running: bool) -> str:
    if told is None:
        return "not in the running process" if is_running else "not running"
    return str(told.get("trouble") or told["state"])
