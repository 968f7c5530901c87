"""Connections to Kafka: made, watched, buried; and what its errors mean for us.

Only here are kafka-python's clients made. Its traps that this module keeps away from the others:
a client whose making failed leaves its thread and sockets behind; calls can outlive their timeout;
closing a producer waits for what should be given up; its log at DEBUG quotes records.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.net.compat import KafkaNetClient

from pipeline.brokers import kafka_login
from pipeline.brokers.kafka_batches import BATCH_BYTES
from pipeline.brokers.kafka_settings import MAX_MESSAGE_BYTES, KafkaSettings
from pipeline.errors import GiveUp, GroundswellError, TryLater

# Its errors are told by us in one line; its DEBUG lines would quote posts.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

#: Seconds beyond its own timeout after which a call of the library counts as stalled.
STALLED_AFTER = 2.0
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

    # ---- clients ------------------------------------------------------------------------------

    def producer(self) -> Any:
        """A new KafkaProducer of the library. Raises TryLater or GiveUp."""
        return self._made(
            KafkaProducer,
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            linger_ms=20,
            batch_size=BATCH_BYTES,
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
            heartbeat_interval_ms=min(1_000, session_ms // 4),  # how soon a rebalance is heard of
            fetch_max_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def ready(self, consumer: Any, begin: Callable[[Any], None]) -> Any:
        """The consumer after ``begin``, which may ask the brokers; closed if that fails."""
        try:
            within(2 * self.settings.patience + STALLED_AFTER, lambda: begin(consumer))
        except BaseException:
            self.bury(lambda: consumer.close(autocommit=False, timeout_ms=0))
            raise
        return consumer

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

        problem = self.unreachable()
        if problem is not None:
            raise problem
        try:
            return within(self.settings.patience + STALLED_AFTER, make)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._silent() from error

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
        if isinstance(error, kafka_errors.AuthorizationError):
            return GiveUp(
                f"Kafka at {self.address} does not let us {doing} ({type(error).__name__}): its"
                " access lists must allow it"
            )
        if isinstance(error, TimeoutError | kafka_errors.KafkaTimeoutError):
            return TryLater(f"Kafka at {self.address} did not answer in time: cannot {doing}")
        return TryLater(f"Kafka at {self.address}: cannot {doing} ({type(error).__name__})")

    def unreachable(self) -> GroundswellError | None:
        """What keeps us from every server, None if one takes connections.

        Asked before the library is, which would try for all its time and not tell the reason.
        """
        problem: OSError | None = None
        for host, port in self.settings.addresses:
            try:
                self._knock(host, port).close()
            except OSError as error:
                problem = problem or error
            else:
                return None
        if isinstance(problem, ssl.SSLCertVerificationError):
            told = f"its certificate is not trusted ({problem.verify_message}): check ssl_cafile"
            return GiveUp(f"Kafka at {self.address}: {told}")
        if isinstance(problem, ssl.SSLError):
            told = f"no TLS ({problem.reason}); if it goes on, check security_protocol"
            return TryLater(f"Kafka at {self.address}: {told}")
        reason = problem and (problem.strerror or str(problem) or type(problem).__name__)
        return TryLater(f"Kafka at {self.address} does not answer: {reason}")

    def _silent(self) -> GroundswellError:
        """Why the library got no connection although a server takes them."""
        if self.settings.uses_sasl and self._login_refused():
            return GiveUp(
                f"Kafka at {self.address} refuses the login of {self.settings.sasl_username!r}:"
                " check sasl_username, sasl_password and sasl_mechanism"
            )
        return TryLater(
            f"Kafka at {self.address} takes connections but does not answer; if it goes on, check"
            " security_protocol"
        )

    def _login_refused(self) -> bool:
        for host, port in self.settings.addresses:
            try:
                with self._knock(host, port) as connection:
                    return kafka_login.refuses(connection, self._common)
            except OSError:
                continue  # this one is away; another may tell
        return False

    def _knock(self, host: str, port: int) -> socket.socket:
        """A connection of our own, with TLS where it is asked for. Raises OSError."""
        connection = socket.create_connection((host, port), self.settings.patience)
        if not self.settings.uses_tls:
            return connection
        with connection:  # the encrypted one takes it over, if there will be one
            return self._tls.wrap_socket(connection, server_hostname=host)

    # ---- the end of clients -------------------------------------------------------------------

    def bury(self, close: Callable[[], Any]) -> None:
        """Closes a client; one that takes long does it behind our back."""

        def dig() -> None:
            # RuntimeError: the client's own thread has ended before.
            with suppress(kafka_errors.KafkaError, OSError, RuntimeError):
                close()

        with suppress(TimeoutError):
            within(self.settings.patience, dig)


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
