"""Apache Kafka for tests and for people: one broker on loopback, from Maven Central's jars.

``python -m tests.servers.kafka`` (``make kafka``) prints its address and runs it until Ctrl-C.
Wants a Java runtime, and once, to fetch the jars, Maven: ``apt-get install default-jre maven``.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.servers.processes import dies_with_us
from tests.servers.server import CannotStartError, Server, run_until_told

ROOT = Path(__file__).parents[2]
POM = Path(__file__).with_name("kafka-pom.xml")
CACHE = ROOT / ".cache" / "kafka"
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


class KafkaServer(Server):
    """One broker and controller in one JVM, with its data in a temporary folder.

    ``address`` takes anybody, ``sasl_address`` wants ``USER`` and ``PASSWORD``, ``tls_address``
    shows the certificate in ``certificate``. Ports and data outlive ``kill`` and ``start``;
    ``stop`` removes the data. Who comes in at the port ``behind`` is told to come back at the port
    ``door``, where a test may have put something in between.
    """

    name = "Kafka"
    start_seconds = 120.0  # a JVM on a busy machine

    def __init__(self, door: int | None = None) -> None:
        for program in ("java", "keytool"):
            if shutil.which(program) is None:
                raise CannotStartError(f"Kafka needs {program}: apt-get install default-jre")
        self._jars = jars()
        super().__init__()
        plain, sasl, tls, controller, self.behind = _free_ports(5)
        self.address = f"127.0.0.1:{plain}"
        self.sasl_address = f"127.0.0.1:{sasl}"
        self.tls_address = f"127.0.0.1:{tls}"
        self.certificate = self.folder / "server.pem"
        self._properties = self.folder / "server.properties"
        values = {"plain": plain, "sasl": sasl, "tls": tls, "controller": controller}
        values |= {"behind": self.behind, "door": self.behind if door is None else door}
        self._properties.write_text(
            PROPERTIES.format(folder=self.folder, user=USER, password=PASSWORD, **values)
        )
        try:
            self._make_key()
            storage = ["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id"]
            _run([*self._java(), *storage, "4L6g3nShT-eMCtK--X86sw", "--config", self._config])
        except BaseException:
            self.stop()
            raise

    @property
    def told(self) -> str:
        """Where it takes anybody."""
        return self.address

    def command(self) -> list[str]:
        """The JVM."""
        return [*dies_with_us(), *self._java("-Xmx512m"), "kafka.Kafka", self._config]

    def serves(self) -> bool:
        """Whether the port answers: the broker opens it when it is ready to serve."""
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

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
        """Ends the JVM, which may hang, by its own process id and removes the data."""
        self.resume()
        super().stop()

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
        key = ["-keystore", str(self.folder / "key.p12"), "-storepass", PASSWORD, "-alias", "k"]
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


if __name__ == "__main__":
    run_until_told(KafkaServer)
