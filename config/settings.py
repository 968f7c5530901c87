"""Settings: ``groundswell.toml``, overridden by ``GROUNDSWELL_…`` variables."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from collectors.kit.policy import platforms
from pipeline.brokers.kafka_settings import KafkaSettings
from pipeline.errors import Misuse
from pipeline.explaining import explain
from pipeline.model import Kind
from pipeline.surprise import BUDGET
from pipeline.topics import DEAD_LETTER_DAYS
from pipeline.tracks import Track

PREFIX = "GROUNDSWELL_"
DEFAULT_FILE = Path("groundswell.toml")
DEFAULT_WAREHOUSE = Path("groundswell.duckdb")
DEFAULT_KEY = Path("groundswell.key")


class Section(BaseModel):
    """A table of the settings file; a key that nobody knows is an error, not a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WarehouseSettings(Section):
    """Where the result is kept: a DuckDB file, or a server when ``url`` is given."""

    path: Path = Field(DEFAULT_WAREHOUSE, description="The DuckDB file.")
    url: SecretStr | None = Field(
        None,
        description="PostgreSQL's address, or ClickHouse's (clickhouse://user@host:8123/database); "
        "with a password from the environment only.",
    )
    key_file: Path | None = Field(
        None, description="32 bytes for the keyed hashes, the same for all processes."
    )
    snapshot_seconds: float = Field(
        60, ge=1, description="How old the copy for analysts may grow while posts come in."
    )


class BrokerSettings(Section):
    """Where records travel."""

    path: Path | None = Field(
        None, description="The local broker's file; default: beside the warehouse, named .broker."
    )


class RepeatsSettings(Section):
    """Where the index of repeats is, when several workers share it."""

    url: SecretStr | None = Field(None, description="Valkey's or Redis's address.")


class WebSettings(Section):
    """Where the page is served: this machine only."""

    host: str = Field("127.0.0.1", pattern=r"^(127\.\d+\.\d+\.\d+|localhost|::1)$")
    port: int = Field(8420, ge=0, le=65535, description="0 takes a free one.")


class HealthSettings(Section):
    """Where a role in a process of its own answers /metrics, /livez and /readyz."""

    host: str = Field("127.0.0.1", pattern=r"^(127\.\d+\.\d+\.\d+|localhost|::1)$")
    port: int | None = Field(
        None, ge=0, le=65535, description="0 takes a free one; without one nothing is served."
    )


class PrivacySettings(Section):
    """What is taken out of texts before they are kept."""

    mask: bool = Field(
        True, description="Mask phone, card, e-mail and account numbers before the topic."
    )


class ModelSettings(Section):
    """Which models label posts."""

    dir: Path | None = Field(None, description="A model of your own, laid over the shipped one.")
    labels: Path | None = Field(
        None, description="Labels of your own, as for train --labels: people may give them."
    )


class RecordingSettings(Section):
    """What the sources deliver, kept in files for replays; raw payloads are never kept."""

    dir: Path | None = Field(None, description="The folder; without one nothing is recorded.")
    hours: float = Field(168, gt=0, description="How long a recording is kept.")
    most_mb: float = Field(1_024, gt=0, description="How large all may grow; the oldest go.")


class RetentionSettings(Section):
    """How many days texts are kept; ``config.retention`` says which of these holds for a post."""

    days: int | None = Field(None, ge=1, description="Of posts of which nothing else is said.")
    source: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="Of a platform's posts, by the source that stands on them."
    )
    kind: dict[Kind, Annotated[int, Field(ge=1)]] = Field(
        {}, description="Of posts of a kind: post, reply, repost, quote, review, comment."
    )
    dead_letter_days: int = Field(
        DEAD_LETTER_DAYS, ge=1, le=DEAD_LETTER_DAYS, description="Of what could not be read."
    )


class WatchSettings(Section):
    """When people are told of what nobody official has told yet."""

    false_proposals_per_week: float = Field(
        BUDGET,
        ge=0.01,
        le=1_000,
        description="Proposals for nothing that the whole deployment may raise in a week.",
    )


class SourceSettings(BaseModel):
    """One ``[[source]]`` or ``[[incidents]]``: its type, and what that type asks for."""

    model_config = ConfigDict(frozen=True, extra="allow")
    type: str = Field(min_length=1)
    expected_per_hour: float | None = Field(
        None, gt=0, description="How many posts are usual: a longer silence than that is told."
    )

    @property
    def own(self) -> dict[str, Any]:
        """The keys that all sources do not share, to be checked by the source's own settings."""
        return dict(self.model_extra or {})


class Settings(BaseSettings):
    """All settings. Every field has a default, so that no file at all is fine."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )
    _file: ClassVar[Mapping[str, Any]] = {}

    warehouse: WarehouseSettings = WarehouseSettings()
    broker: BrokerSettings = BrokerSettings()
    kafka: KafkaSettings | None = None
    repeats: RepeatsSettings = RepeatsSettings()
    web: WebSettings = WebSettings()
    health: HealthSettings = HealthSettings()
    privacy: PrivacySettings = PrivacySettings()
    models: ModelSettings = ModelSettings()
    watch: WatchSettings = WatchSettings()
    recording: RecordingSettings = RecordingSettings()
    retention: RetentionSettings = RetentionSettings()
    track: Annotated[tuple[Track, ...], Field(description="What to listen for.")] = ()
    source: Annotated[tuple[SourceSettings, ...], Field(description="Sources of posts.")] = ()
    incidents: Annotated[
        tuple[SourceSettings, ...], Field(description="Where incidents come from.")
    ] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller gives, then the environment, then the file."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, dict(cls._file))

    @model_validator(mode="after")
    def _known_sources(self) -> Self:
        """Retention names platforms that there are; posts of files may be of any."""
        if any(given.type == "recorded" for given in self.source):
            return self
        own = {str(given.own.get("platform", given.type)) for given in self.source}
        known = {*platforms(), *own}
        if unknown := sorted(self.retention.source.keys() - known):
            raise ValueError(
                f"retention.source: no source is named {', '.join(unknown)}; there are "
                f"{', '.join(sorted(known))}"
            )
        return self

    @property
    def broker_path(self) -> Path:
        """The local broker's file."""
        return self.broker_for(self.warehouse.path)

    @property
    def on_servers(self) -> bool:
        """Whether the warehouse that commands mean is on a server."""
        return self.warehouse.url is not None

    def broker_for(self, warehouse: Path) -> Path:
        """The local broker's file for a warehouse; the configured one for the configured one."""
        if self.broker.path is not None and warehouse == self.warehouse.path:
            return self.broker.path
        return warehouse.with_suffix(".broker")


def load(file: Path | None = None) -> Settings:
    """The settings from ``file``, or from ``./groundswell.toml`` if it is there.

    Raises Misuse naming the file, the setting and what is wrong with it.
    """
    path = file or DEFAULT_FILE
    values: dict[str, Any] = {}
    if file is not None or path.exists():
        values = _read(path)
        if "sasl_password" in values.get("kafka", {}):
            raise Misuse(
                f"{path} holds a password: take it out and set GROUNDSWELL_KAFKA__SASL_PASSWORD"
            )

    class FromFile(Settings):
        _file = values

    unknown = [name for name in os.environ if _is_unknown(name)]
    if unknown:
        raise Misuse(f"no setting is named {', '.join(sorted(unknown))} (in the environment)")
    try:
        return FromFile()
    except ValidationError as error:
        raise Misuse(
            f"settings in {path} or the environment: {explain(error, show=True)}"
        ) from error
    except ValueError as error:  # a GROUNDSWELL_ variable that should be JSON and is not
        raise Misuse(f"settings from the environment: {error}") from error


def _is_unknown(variable: str) -> bool:
    """Whether a variable of ours names no section; those of the tests are their own."""
    if not variable.startswith(PREFIX) or variable.startswith(f"{PREFIX}TEST_"):
        return False
    section = variable.removeprefix(PREFIX).lower().partition("__")[0]
    return section not in Settings.model_fields


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misuse(f"cannot read settings from {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misuse(f"{path} is no TOML: {error}") from error
