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
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.servers.processes import dies_with_us, free_port
from tests.servers.server import CannotStartError, Server, run_until_told

#: The database and the role that may make schemas in it and nothing else.
DATABASE, USER, PASSWORD = "groundswell", "groundswell", "tide-4711"
_ADMIN = "admin"


class PostgresServer(Server):
    """One server. Ports and data outlive ``kill`` and ``start``; ``stop`` removes the data.

    ``url`` is for the role of the program, ``admin_url`` for the superuser. With ``durable`` a
    commit waits for the disk, as outside of tests.
    """

    name = "PostgreSQL"
    farewell = signal.SIGINT  # "fast": it does not wait for clients

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = _programs()
        self._as_user = _as_somebody_else()
        super().__init__()
        self._durable = durable
        self.data = self.folder / "data"
        self.port = free_port()
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"
        self.admin_url = f"postgresql://{_ADMIN}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"
        try:
            self._make()
        except BaseException:
            self.stop()
            raise

    @property
    def told(self) -> str:
        """The address of the program's database."""
        return self.url

    def command(self) -> list[str]:
        """The server on loopback only."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "max_connections": "40",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_user, str(self._programs / "postgres"), "-D", str(self.data), *options]

    def serves(self) -> bool:
        """Whether it takes connections."""
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def kill(self) -> None:
        """Kill -9: no farewell, the data stay. Returns when the last of its processes has left."""
        children = [] if self.pid is None else _children(self.pid)
        super().kill()
        # They notice by themselves; until then no other server may open the data.
        deadline = time.monotonic() + self.stop_seconds
        while any(map(Path.exists, children)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _make(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if self._as_user:
            user = _somebody_else()
            for path in (self.folder, password):
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
            command, input=told, capture_output=True, text=True, check=False, cwd=self.folder
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


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


if __name__ == "__main__":
    run_until_told(partial(PostgresServer, durable=True))
