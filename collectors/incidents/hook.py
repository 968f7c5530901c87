"""Any tool that can send JSON: the settings say where in it an incident's fields stand.

Without ``paths`` it is our own shape: ``{"id", "title", "status", "at", "impact", "url",
"started_at", "resolved_at", "components": [], "regions": [], "links": [], "update": {"id", "body",
"at"}}``, of which ``id`` and ``at`` are wanted, and ``title`` and ``status`` once. ``grafana``
knows the fields of Grafana's own webhooks.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collectors.incidents.kit import paths
from collectors.incidents.kit.pieces import ENDED, piece, steps, texts
from collectors.incidents.kit.reception import Verify, signed, standard, token
from collectors.incidents.kit.signing import Scheme
from collectors.incidents.kit.tool import House, Tool, ToolSettings, made
from collectors.kit.secret import Variable
from collectors.kit.times import instant
from pipeline.errors import SetAside
from pipeline.model import Incident, Status, Update
from pipeline.ports import Clock

Signing: TypeAlias = Literal["standard", "svix", "hmac", "token"]
#: The most incidents in one delivery.
MOST: Final = 1_000


def _is_path(path: str) -> str:
    paths.parsed(path)
    return path


Place: TypeAlias = Annotated[str, AfterValidator(_is_path)]


class Places(BaseModel):
    """Where in a delivery the fields of an incident stand; where nothing stands nothing is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    items: Place | None = Field(None, description="A list of several; all else is within each.")
    id: Place | tuple[Place, ...] = Field("id", description="Its id; several are joined.")
    title: Place = "title"
    status: Place = "status"
    at: Place = Field("at", description="When this was so.")
    impact: Place = "impact"
    url: Place = "url"
    started_at: Place = "started_at"
    resolved_at: Place = "resolved_at"
    components: Place = Field("components", description="Names, or objects with `name` and `id`.")
    regions: Place = "regions"
    links: Place = Field("links", description="Addresses of it in other tools.")
    update_id: Place | None = Field(
        "update.id", description="What tells updates apart; without it their words do."
    )
    update_body: Place = "update.body"
    update_at: Place = "update.at"
    skip: Place | None = Field(None, description="Where true stands for: no incident, a test.")


class HookSettings(ToolSettings):
    """A webhook of incidents."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Its name, the last part of its address."
    )
    secret_from: Variable = Field(
        description="The environment variable with the secret or token; several, with spaces "
        "between, while it is being replaced."
    )
    signing: Signing = Field(
        "standard",
        description="How deliveries are signed: standard (Standard Webhooks), svix, hmac (SHA-256 "
        "in hexadecimal), or token (Authorization: Bearer …).",
    )
    signature_header: str = Field("x-signature", description="For hmac: the header with it.")
    signed: str = Field(
        "{body}",
        pattern=r"\{body(_sha256)?\}",
        description="For hmac: what is signed, of {body}, {body_sha256} and {timestamp}.",
    )
    timestamp_header: str | None = Field(
        None, description="For hmac: the header with the time, unless it is t=… in the signature."
    )
    paths: Places = Field(Places(), description="Where an incident's fields stand.")
    statuses: dict[str, Status] = Field(
        {}, description="What the sender calls its states, and what each of them is to us."
    )
    impacts: dict[str, str] = Field(
        {}, description="What it calls its severities, as none, minor, major or critical."
    )


#: Of Grafana IRM, which sends its incident with every event.
IRM: Final = Places(
    id="incident.incidentID",
    title="incident.title",
    status="incident.status",
    at="time",
    impact="incident.severity",
    url="incident.overviewURL",
    started_at="incident.incidentStart",
    resolved_at="incident.incidentEnd",
    components="incident.labels[*].label",
    update_id=None,
    update_body="incident.summary",
    update_at="time",
    skip="incident.isDrill",
)
#: Of Grafana Alerting, which sends groups of alerts; an alert that fires again is another one.
ALERTING: Final = Places(
    items="alerts",
    id=("fingerprint", "startsAt"),
    title="labels.alertname",
    at="startsAt",
    impact="labels.severity",
    url="generatorURL",
    started_at="startsAt",
    resolved_at="endsAt",
    update_id=None,
    update_body="annotations.summary",
    update_at="startsAt",
)
_GRAFANAS: Final[Mapping[str, Status]] = {
    "active": "investigating",
    "firing": "investigating",
    "resolved": "resolved",
}
_IMPACTS: Final = {
    name: impact
    for impact, names in (
        ("critical", "critical sev1"),
        ("major", "major high error sev2"),
        ("minor", "minor medium low warning sev3"),
        ("none", "none info pending"),
    )
    for name in names.split()
}


class GrafanaSettings(ToolSettings):
    """Grafana IRM's incidents, or Grafana's alerts, by a webhook."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Its name, the last part of its address."
    )
    secret_from: Variable = Field(description="The environment variable with the secret or token.")
    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/]+",
        description="Your stack's address: incidents are told with the rest of theirs.",
    )
    sends: Literal["incidents", "alerts"] = Field(
        "incidents", description="Incidents of Grafana IRM, or alerts of a contact point."
    )
    signing: Literal["token", "hmac"] = Field(
        "token", description="token: an Authorization header of your own; hmac: as alerts have it."
    )
    signature_header: str = Field(
        "x-grafana-alerting-signature", description="For hmac: the header with the signature."
    )
    timestamp_header: str | None = Field(
        None, description="For hmac: the header with the time, if the contact point sends one."
    )


def hook(
    name: str,
    clock: Clock,
    *,
    secret_from: str,
    signing: Signing = "standard",
    signature_header: str = "x-signature",
    signed: str = "{body}",
    timestamp_header: str | None = None,
    paths: Places | Mapping[str, Any] | None = None,
    statuses: Mapping[str, Status] | None = None,
    impacts: Mapping[str, str] | None = None,
    **given: Any,
) -> Tool:
    """The source of a webhook. Raises Misuse when the secret is not set."""
    places = Places.model_validate(paths or {})
    shape = Shape(House.of("webhook", given), places, statuses or {}, impacts or {})
    scheme = Scheme(signature_header.casefold(), signed, timestamp_header)
    verify = verifying(name, secret_from, signing, scheme)
    return made(name, clock, shape.house, None, verify, shape.read)


def grafana(
    name: str,
    clock: Clock,
    *,
    secret_from: str,
    url: str | None = None,
    sends: Literal["incidents", "alerts"] = "incidents",
    signing: Literal["token", "hmac"] = "token",
    signature_header: str = "x-grafana-alerting-signature",
    timestamp_header: str | None = None,
    **given: Any,
) -> Tool:
    """The source of Grafana's webhooks. Raises Misuse when the secret is not set."""
    places = IRM if sends == "incidents" else ALERTING
    shape = Shape(House.of("grafana", given), places, _GRAFANAS, {}, url)
    # With a time, Grafana signs it before the body, with a colon between.
    message = "{timestamp}:{body}" if timestamp_header else "{body}"
    scheme = Scheme(signature_header.casefold(), message, timestamp_header)
    verify = verifying(name, secret_from, signing, scheme)
    return made(name, clock, shape.house, None, verify, shape.read)


def verifying(name: str, secret_from: str, signing: Signing, scheme: Scheme) -> Verify:
    """How deliveries are verified. Raises Misuse when the secret is not set."""
    if signing == "token":
        return token(name, secret_from)
    if signing == "hmac":
        return signed(name, secret_from, scheme)
    return standard(name, secret_from, "svix" if signing == "svix" else "webhook")


class Shape:
    """How a sender's JSON becomes pieces of incidents."""

    def __init__(
        self,
        house: House,
        places: Places,
        statuses: Mapping[str, Status],
        impacts: Mapping[str, str],
        base: str | None = None,
    ) -> None:
        self.house = house
        self._base = base
        self._places = places
        ours: dict[str, Status] = {name: name for name in get_args(Status) if name != "proposed"}
        self._states = ours | {name.casefold(): state for name, state in statuses.items()}
        self._impacts = _IMPACTS | {name.casefold(): impact for name, impact in impacts.items()}

    def read(self, told: Any) -> Iterator[Incident]:
        """The pieces in a delivery. Raises SetAside for what has none."""
        if self._places.items is None:
            yield from self._pieces(told)
            return
        items = paths.at(told, self._places.items)
        if not isinstance(items, list) or len(items) > MOST:
            raise SetAside(f"wants a list of up to {MOST:,} at `items`")
        for one in items:
            yield from self._pieces(one)

    def _pieces(self, told: Any) -> Iterator[Incident]:
        is_left_out = self._places.skip is not None and paths.at(told, self._places.skip) is True
        if not is_left_out:
            yield self._piece(told)

    def _piece(self, told: Any) -> Incident:
        at = self._places
        state = self._state(paths.text(told, at.status))
        when = self._when(told, state)
        impact = (paths.text(told, at.impact) or "").casefold()
        began = _moment(told, at.started_at)
        opened = steps((began, "investigating")) if began else ()
        return piece(
            self.house.id(self._number(told)),
            when,
            title=paths.text(told, at.title),
            impact=self._impacts.get(impact),
            components=_components(paths.at(told, at.components)),
            regions=_words(paths.at(told, at.regions)),
            url=self._address(paths.text(told, at.url)),
            links=_words(paths.at(told, at.links)),
            started_at=began,
            history=(opened + steps((when, state))) if state else None,
            updates=self._said(told, when),
        )

    def _number(self, told: Any) -> str:
        wanted = self._places.id
        parts = [
            paths.text(told, one) for one in (wanted if isinstance(wanted, tuple) else (wanted,))
        ]
        if None in parts:
            raise SetAside("nothing at the path of `id`")
        return "-".join(part for part in parts if part)

    def _address(self, told: str | None) -> str | None:
        """An address in full; a part of one is none without the rest."""
        if told is None or not told.startswith("/"):
            return told
        return None if self._base is None else self._base.rstrip("/") + told

    def _state(self, name: str | None) -> Status | None:
        if name is None:
            return None
        state = self._states.get(name.casefold())
        if state is None:
            raise SetAside("a status that `statuses` does not name")
        return state

    def _when(self, told: Any, state: Status | None) -> datetime:
        """When this was so: of what has ended, when it ended."""
        ended = _moment(told, self._places.resolved_at) if state in ENDED else None
        when = ended or _moment(told, self._places.at)
        if when is None:
            raise SetAside("no time at the path of `at`")
        return when

    def _said(self, told: Any, when: datetime) -> tuple[Update, ...] | None:
        body = paths.text(told, self._places.update_body)
        if body is None:
            return None
        number = paths.text(told, self._places.update_id) if self._places.update_id else None
        at = _moment(told, self._places.update_at) or when
        return (Update(id=number, body=body, display_at=at),)


def _moment(told: Any, path: str) -> datetime | None:
    """The time that stands there; what is before 1970 stands for none."""
    value = paths.at(told, path)
    at = instant(value) if value else None
    return at if at is not None and at.year >= 1970 else None


def _words(value: Any) -> tuple[str, ...] | None:
    found = tuple(texts(*(value if isinstance(value, list) else [value])))
    return found or None


def _components(value: Any) -> list[dict[str, str | None]] | None:
    """Names, or objects with a name and perhaps an id."""
    found: list[dict[str, str | None]] = []
    for one in value if isinstance(value, list) else [value]:
        name = one if isinstance(one, str) else paths.text(one, "name")
        if name:
            found.append({"id": paths.text(one, "id"), "name": name})
    return found or None
