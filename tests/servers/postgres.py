"""PostgreSQL for tests, benches and people: one server on loopback, its data in a temporary folder.

``python -m tests.servers.postgres`` prints the address of its database and runs it until Ctrl-C.
Wants ``apt-get install postgresql`` (15 or newer). Root may not run PostgreSQL: then it runs as the
user ``postgres``, or ``nobody``.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from tests.servers.kafka import CannotStartError
from tests.servers.processes import dies_with_us, free_port

#: Seconds a server on a busy machine may take to serve or to end.
START_SECONDS, STOP_SECONDS = 60.0, 20.0
#: The database and the role that may make schemas in it and nothing else.
DATABASE, USER, PASSWORD = "groundswell", "groundswell", "tide-4711"
_ADMIN = "admin"


class PostgresServer:
    """One server. Ports and data outlive ``kill`` and ``start``; ``stop`` removes the data.

    ``url`` is for the role of the program, ``admin_url`` for the superuser. With ``durable`` a
    commit waits for the disk, as outside of tests.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = _programs()
        self._as_user = _as_somebody_else()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(mkdtemp(prefix="groundswell-postgres-"))
        self.data = self._folder / "data"
        self.port = free_port()
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"
        self.admin_url = f"postgresql://{_ADMIN}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"
        try:
            self._make()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Starts the server and returns once it serves."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "max_connections": "40",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, str(self._programs / "postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        self._wait()

    @property
    def pid(self) -> int | None:
        """The process's id while it was started and not ended."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Kill -9: no farewell, the data stay."""
        if self._process is not None:
            children = _children(self._process.pid)
            self._process.kill()
            self._process.wait()
            self._process = None
            # They notice by themselves; until then no other server may open the data.
            deadline = time.monotonic() + STOP_SECONDS
            while any(map(Path.exists, children)) and time.monotonic() < deadline:
                time.sleep(0.02)

    def stop(self) -> None:
        """Ends the server by its own process id and removes the data."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": it does not wait for clients
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._as_user:
            user = _somebody_else()
            for path in (self._folder, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        kind = ["--username", _ADMIN, "--pwfile", str(password), "--auth", "scram-sha-256"]
        form = ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", str(self.data), *kind, *form)
        # The role and the database are made by a server that nobody else can reach.
        statements = (
            f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {USER};\n"
        )
        self._run("postgres", "--single", "-D", str(self.data), "postgres", told=statements)

    def _run(self, program: str, *arguments: str, told: str = "") -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        done = subprocess.run(
            command, input=told, capture_output=True, text=True, check=False, cwd=self._folder
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                told = (self._folder / "log.txt").read_text(errors="replace")[-3_000:]
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start:\n{told}")
            time.sleep(0.05)


def _children(pid: int) -> list[Path]:
    """Where the system tells of the processes that this one started, while they live."""
    told = Path(f"/proc/{pid}/task/{pid}/children")
    return [Path("/proc") / child for child in told.read_text().split()] if told.exists() else []


def _programs() -> Path:
    """The folder of the newest server that is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    found = [path for path in found if int(path.parent.name) >= 15]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("postgres")
    if on_path is None:
        raise CannotStartError("PostgreSQL is missing: apt-get install postgresql")
    return Path(on_path).resolve().parent


def _somebody_else() -> pwd.struct_passwd:
    """The user as whom root runs the server."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise CannotStartError("PostgreSQL does not run as root, and there is no user postgres")


def _as_somebody_else() -> list[str]:
    """What a command of the server starts with."""
    if os.getuid() != 0:
        return dies_with_us()
    if shutil.which("setpriv") is None:
        raise CannotStartError("running PostgreSQL from root needs setpriv (util-linux)")
    user = _somebody_else()
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*dies_with_us(), *ids]


def main() -> None:
    """Runs a server until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = PostgresServer(durable=True)
    except CannotStartError as reason:
        sys.exit(str(reason))
    try:
        server.start()
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stderr.write(f"PostgreSQL serves; Ctrl-C or kill {os.getpid()} ends it\n")
        signal.pause()
    except KeyboardInterrupt:
        sys.stderr.write("stopping\n")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
