"""Connections to Kafka: made, watched, buried; and what its errors mean for us.

Only here are kafka-python's clients made. Its traps that this module keeps away from the others:
a client whose making failed leaves its thread and sockets behind; calls can outlive their timeout;
closing a producer waits for what should be given up; its log at DEBUG quotes records.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.net.compat import KafkaNetClient

from pipeline.brokers.kafka_settings import MAX_MESSAGE_BYTES, KafkaSettings
from pipeline.errors import GiveUp, GroundswellError, TryLater

# Its errors are told by us in one line; its DEBUG lines would quote posts.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

#: Seconds beyond its own timeout after which a call of the library counts as stalled.
STALLED_AFTER = 2.0
#: How often, in seconds, an idle consumer looks whether the brokers are still there.
ALIVE_EVERY = 5.0
#: One answer's records at most, compressed: bounds what a consumer holds.
FETCH_BYTES = 16 * 1024 * 1024
# An answer is held back so long while nothing comes; meanwhile nothing else can be asked for.
FETCH_WAIT_MS = 100
# A broker that came back is noticed within this.
RECONNECT_MS = 2_000

T = TypeVar("T")


class KafkaLink:
    """Makes clients for one cluster. Safe to share between threads; connects to nothing itself."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.address = settings.servers
        self._alive_at = time.monotonic()

    # ---- clients ------------------------------------------------------------------------------

    def producer(self) -> Any:
        """A new KafkaProducer of the library. Raises TryLater or GiveUp."""
        return self._made(
            KafkaProducer,
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            linger_ms=20,
            batch_size=262_144,
            max_request_size=MAX_MESSAGE_BYTES,
            max_block_ms=self._patience_ms,
            delivery_timeout_ms=2 * self._patience_ms + 20,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def consumer(self, group: str | None) -> Any:
        """A new KafkaConsumer of the library, of a group or of none. Raises TryLater or GiveUp."""
        session_ms = int(self.settings.session_seconds * 1_000)
        return self._made(
            KafkaConsumer,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(3_000, session_ms // 4),
            fetch_max_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A KafkaAdminClient of the library for a few calls. Raises TryLater or GiveUp."""
        client = self._made(KafkaAdminClient)
        try:
            yield client
        finally:
            self.bury(client.close)

    def asked(self, call: Callable[[], T], doing: str) -> T:
        """What an admin's ``call`` returns, within a bounded time. Raises TryLater or GiveUp."""
        try:
            # Creating a dozen topics on a busy broker takes longer than one answer.
            return within(3 * self.settings.patience, call)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self.meaning(error, doing) from error

    def _made(self, kind: Callable[..., Any], **own: Any) -> Any:
        clients: list[Any] = []

        def net_client(**config: Any) -> Any:
            clients.append(KafkaNetClient(**config))
            return clients[-1]

        def make() -> Any:
            try:
                return kind(**self._common, **own, kafka_client=net_client)
            except BaseException:
                for client in clients:
                    client.close()
                raise

        try:
            return within(self.settings.patience + STALLED_AFTER, make)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self.meaning(error, "connect") from error

    @cached_property
    def _common(self) -> dict[str, Any]:
        known = self.settings
        config: dict[str, Any] = {
            "bootstrap_servers": [f"{host}:{port}" for host, port in known.addresses],
            "client_id": known.client_id,
            "security_protocol": known.security_protocol,
            "request_timeout_ms": self._patience_ms,
            "bootstrap_timeout_ms": self._patience_ms,
            "reconnect_backoff_max_ms": RECONNECT_MS,
        }
        if known.uses_sasl:
            config["sasl_mechanism"] = known.sasl_mechanism
            config["sasl_plain_username"] = known.sasl_username
            config["sasl_plain_password"] = self._password()
        if known.uses_tls:
            config["ssl_context"] = self._tls
        return config

    @property
    def _patience_ms(self) -> int:
        return int(self.settings.patience * 1_000)

    def _password(self) -> str:
        known = self.settings
        if known.sasl_password is not None:
            return known.sasl_password.get_secret_value()
        assert known.sasl_password_file is not None  # noqa: S101 - the settings' validator saw to it
        try:
            return known.sasl_password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            path = known.sasl_password_file
            raise GiveUp(f"sasl_password_file {path} cannot be read: {error.strerror}") from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        known = self.settings
        try:
            context = ssl.create_default_context(cafile=known.ssl_cafile)
            context.check_hostname = known.ssl_check_hostname
            if known.ssl_certfile is not None:
                context.load_cert_chain(known.ssl_certfile, known.ssl_keyfile)
        except OSError as error:  # ssl.SSLError is one
            names = "ssl_cafile, ssl_certfile and ssl_keyfile"
            raise GiveUp(f"{names} must name readable PEM files: {error}") from error
        return context

    # ---- errors -------------------------------------------------------------------------------

    def meaning(self, error: BaseException, doing: str) -> GroundswellError:
        """What to raise for an error of the library while ``doing`` something, told in a line."""
        known = self.settings
        if isinstance(error, REFUSED_LOGIN):
            return GiveUp(
                f"Kafka at {self.address} refused the login of {known.sasl_username!r}: check"
                " sasl_username, sasl_password and sasl_mechanism"
            )
        if isinstance(error, kafka_errors.AuthorizationError):
            return GiveUp(
                f"Kafka at {self.address} does not let us {doing} ({type(error).__name__}): its"
                " access lists must allow it"
            )
        if doing == "connect":
            return self._diagnosed()
        if isinstance(error, TimeoutError | kafka_errors.KafkaTimeoutError):
            return TryLater(f"Kafka at {self.address} did not answer in time: cannot {doing}")
        return TryLater(f"Kafka at {self.address}: cannot {doing} ({type(error).__name__})")

    def _diagnosed(self) -> GroundswellError:
        """Why there is no connection, as far as a plain socket can tell."""
        reasons = [self._reason(host, port) for host, port in self.settings.addresses]
        told = next((reason for reason in reasons if reason is None), "; ".join(map(str, reasons)))
        if told is not None:
            return TryLater(f"Kafka at {self.address} does not answer: {told}")
        if self.settings.uses_tls:
            try:
                self._shake_hands()
            except OSError as error:
                return GiveUp(
                    f"Kafka at {self.address}: no TLS ({error}): check security_protocol"
                    " and ssl_cafile"
                )
        return TryLater(
            f"Kafka at {self.address} takes connections but does not answer; if it goes on, check"
            " security_protocol"
        )

    def _reason(self, host: str, port: int) -> str | None:
        """Why a server takes no connection, None if it does."""
        try:
            socket.create_connection((host, port), 1.0).close()
        except OSError as error:
            return error.strerror or str(error) or type(error).__name__
        return None

    def _shake_hands(self) -> None:
        host, port = self.settings.addresses[0]
        with (
            socket.create_connection((host, port), self.settings.patience) as plain,
            self._tls.wrap_socket(plain, server_hostname=host),
        ):
            pass

    def look_whether_alive(self) -> None:
        """Raises TryLater when no server takes a connection; looks every few seconds only.

        For calls that stay silent while the brokers are away.
        """
        if time.monotonic() - self._alive_at < ALIVE_EVERY:
            return
        self._alive_at = time.monotonic()
        reasons = [self._reason(host, port) for host, port in self.settings.addresses]
        if all(reason is not None for reason in reasons):
            raise TryLater(f"Kafka at {self.address} does not answer: {reasons[0]}")

    # ---- the end of clients -------------------------------------------------------------------

    def bury(self, close: Callable[[], Any]) -> None:
        """Closes a client; one that takes long does it behind our back."""

        def dig() -> None:
            with suppress(kafka_errors.KafkaError, OSError):
                close()

        with suppress(TimeoutError):
            within(self.settings.patience, dig)


#: A login that the broker does not take, or a way to log in that it does not know.
REFUSED_LOGIN = (
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.IllegalSaslStateError,
)


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; TimeoutError when it takes longer.

    It runs in a thread of its own, for the library's calls can outlive the timeouts they are given.
    """
    results: list[T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            problems.append(error)

    thread = threading.Thread(target=run, name="kafka-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if problems:
        raise problems[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:.1f} s")
    return results[0]
