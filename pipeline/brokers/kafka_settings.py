"""How to reach Kafka, and how long to wait for it."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

#: A record above this is refused: the longest text (1 MiB) fits with what is made of it, also when
#: much of it must be escaped.
MAX_RECORD_BYTES = 4 * 1024 * 1024
#: Room for the frame of a batch around the longest record.
MAX_MESSAGE_BYTES = MAX_RECORD_BYTES + 64 * 1024


class KafkaSettings(BaseModel):
    """Where Kafka is and how to log in. Secrets come from the environment or from files only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: str = Field(
        description="Brokers to begin with: host:port, several with commas between.",
        pattern=r"^\s*[^\s,:]+:\d+\s*(,\s*[^\s,:]+:\d+\s*)*$",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = Field(None, description="From the environment.")
    sasl_password_file: Path | None = Field(None, description="Or a file that holds it.")
    ssl_cafile: Path | None = Field(
        None, description="Who signed the brokers' certificates (PEM); default: the system's list."
    )
    ssl_certfile: Path | None = Field(None, description="Our own certificate (PEM).")
    ssl_keyfile: Path | None = Field(None, description="Its key (PEM).")
    ssl_check_hostname: bool = True
    replication_factor: int | None = Field(
        None, ge=1, description="Copies of each record in new topics; default: the brokers' own."
    )
    client_id: str = "groundswell"
    in_flight: int = Field(
        20_000, ge=1, description="Records sent and not acknowledged before a producer waits."
    )
    in_flight_bytes: int = Field(32 * 1024 * 1024, ge=1, description="The same in bytes.")
    patience: float = Field(
        4.0, gt=0, description="Seconds without any answer after which a call gives up."
    )
    session_seconds: float = Field(
        15.0, ge=1, description="After so long without a sign of life a member's place is free."
    )

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        has_login = self.sasl_username is not None
        if self.uses_sasl:
            if self.sasl_username is None:
                raise ValueError(f"{self.security_protocol} wants sasl_username")
            if (self.sasl_password is None) == (self.sasl_password_file is None):
                raise ValueError("give either sasl_password or sasl_password_file")
        elif has_login:
            raise ValueError("sasl_username has no use unless security_protocol begins with SASL_")
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise ValueError("ssl_keyfile has no use without ssl_certfile")
        if self.ssl_certfile is not None and not self.uses_tls:
            raise ValueError("ssl_certfile has no use unless security_protocol ends with SSL")
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether a login is sent."""
        return self.security_protocol.startswith("SASL_")

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each server."""
        pairs = [each.strip().rpartition(":") for each in self.servers.split(",")]
        return [(host, int(port)) for host, _, port in pairs]
