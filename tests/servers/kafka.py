"""Apache Kafka for tests and for people: one broker on loopback, from Maven Central's jars.

``python -m tests.servers.kafka`` (``make kafka``) prints its address and runs it until Ctrl-C.
Wants a Java runtime, and once, to fetch the jars, Maven: ``apt-get install default-jre maven``.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).parents[2]
POM = Path(__file__).with_name("kafka-pom.xml")
CACHE = ROOT / ".cache" / "kafka"
#: Seconds a JVM on a busy machine may take to serve, or to end after SIGTERM.
START_SECONDS, STOP_SECONDS = 120.0, 20.0
#: Whom the listener with SASL lets in, and the password of the server's key.
USER, PASSWORD = "groundswell", "tide-4711"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},\
SSL://127.0.0.1:{tls},BEHIND://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},\
SSL://127.0.0.1:{tls},BEHIND://127.0.0.1:{door}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\
SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,BEHIND:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
ssl.keystore.type=PKCS12
ssl.keystore.location={folder}/key.p12
ssl.keystore.password={password}
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
"""


class CannotStartError(Exception):
    """This machine lacks what the broker needs; the message says what to install."""


class KafkaServer:
    """One broker and controller in one JVM, with its data in a temporary folder.

    ``address`` takes anybody, ``sasl_address`` wants ``USER`` and ``PASSWORD``, ``tls_address``
    shows the certificate in ``certificate``. Ports and data outlive ``kill`` and ``start``;
    ``stop`` removes the data. Who comes in at the port ``behind`` is told to come back at the port
    ``door``, where a test may have put something in between.
    """

    def __init__(self, door: int | None = None) -> None:
        for program in ("java", "keytool"):
            if shutil.which(program) is None:
                raise CannotStartError(f"Kafka needs {program}: apt-get install default-jre")
        self._jars = jars()
        self._folder = Path(mkdtemp(prefix="groundswell-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        plain, sasl, tls, controller, self.behind = _free_ports(5)
        self.address = f"127.0.0.1:{plain}"
        self.sasl_address = f"127.0.0.1:{sasl}"
        self.tls_address = f"127.0.0.1:{tls}"
        self.certificate = self._folder / "server.pem"
        self._properties = self._folder / "server.properties"
        values = {"plain": plain, "sasl": sasl, "tls": tls, "controller": controller}
        values |= {"behind": self.behind, "door": self.behind if door is None else door}
        self._properties.write_text(
            PROPERTIES.format(folder=self._folder, user=USER, password=PASSWORD, **values)
        )
        try:
            self._make_key()
            storage = ["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id"]
            _run([*self._java(), *storage, "4L6g3nShT-eMCtK--X86sw", "--config", self._config])
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Starts the JVM and returns once it serves."""
        log = self._folder / "log.txt"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*_with_us(), *self._java("-Xmx512m"), "kafka.Kafka", self._config],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        deadline = time.monotonic() + START_SECONDS
        while not _serves(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-3_000:]
                self.stop()
                raise RuntimeError(f"Kafka did not start:\n{told}")
            time.sleep(0.1)

    @property
    def pid(self) -> int | None:
        """The process's id while it was started and not ended."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Kill -9: no farewell, the data stay."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Lets it hang: connections stay open and nothing answers, once this returns."""
        self._signal(signal.SIGSTOP)
        # Each thread of the JVM stops when the machine gets round to it.
        while self._process is not None and not _has_stopped(self._process.pid):
            time.sleep(0.01)

    def resume(self) -> None:
        """Goes on after ``pause``."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends the JVM by its own process id and removes the data."""
        if self._process is not None:
            self.resume()
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _config(self) -> str:
        return str(self._properties)

    def _java(self, *options: str) -> list[str]:
        return ["java", "-XX:+UseSerialGC", *options, "-cp", f"{self._jars}/*"]

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _make_key(self) -> None:
        """A key of its own for TLS, valid for 127.0.0.1 only."""
        key = ["-keystore", str(self._folder / "key.p12"), "-storepass", PASSWORD, "-alias", "k"]
        kind = ["-keyalg", "EC", "-validity", "30", "-storetype", "PKCS12"]
        who = ["-dname", "CN=groundswell tests", "-ext", "SAN=ip:127.0.0.1"]
        _run(["keytool", "-genkeypair", *key, *kind, *who])
        _run(["keytool", "-exportcert", "-rfc", *key, "-file", str(self.certificate)])


def _has_stopped(pid: int) -> bool:
    """Whether every thread of a process is stopped (or gone)."""
    states = []
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            states.append(task.read_text().rpartition(")")[2].split()[0])
    return all(state in "TtZX" for state in states)


def jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven when it is not there yet."""
    # The name tells the versions, so that a change of the POM fetches anew.
    wanted = POM.read_bytes()
    libs, done = CACHE / "libs", CACHE / "pom.xml"
    if done.exists() and done.read_bytes() == wanted:
        return libs
    if shutil.which("mvn") is None:
        raise CannotStartError("Kafka's jars are fetched by Maven: apt-get install maven")
    shutil.rmtree(CACHE, ignore_errors=True)
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={libs}"]
    _run(["mvn", "-q", "-B", "-f", str(POM), *copy])
    done.write_bytes(wanted)
    return libs


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{done.stdout}{done.stderr}")


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is found, so that none comes twice."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _serves(address: str) -> bool:
    """Whether the port answers: the broker opens it when it is ready to serve."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


def _with_us() -> list[str]:
    """What lets Linux end a process when we are gone, however we went."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def main() -> None:
    """Runs a broker until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = KafkaServer()
    except CannotStartError as reason:
        sys.exit(str(reason))
    try:
        server.start()
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        sys.stderr.write(
            f"Kafka serves at {server.address}; Ctrl-C or kill {os.getpid()} ends it\n"
        )
        signal.pause()
    except KeyboardInterrupt:
        sys.stderr.write("stopping\n")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
