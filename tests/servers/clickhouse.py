"""ClickHouse for tests and benches: its own engine behind its HTTP interface, on loopback.

``python -m tests.servers.clickhouse`` prints the address of its database and runs it until Ctrl-C.
The engine is chdb (``make clickhouse`` installs it); what is missing beside ClickHouse's own server
stands in ``clickhouse_http``.
"""

import base64
import secrets
import sys
import urllib.request
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.error import URLError

from tests.servers.processes import dies_with_us, free_port
from tests.servers.server import CannotStartError, Server, run_until_told

#: Configuration of the engine in which its user has certain rights.
_USERS: Final = """<clickhouse>
<profiles><default/></profiles><quotas><default/></quotas>
<users><default><password/><networks><ip>::/0</ip></networks><profile>default</profile>
<quota>default</quota><grants>{grants}</grants></default></users>
</clickhouse>"""
_CONFIG: Final = """<clickhouse>
<user_directories><users_xml><path>{users}</path></users_xml></user_directories>
</clickhouse>"""
#: The database that is there from the beginning, and the only user.
DATABASE, USER, PASSWORD = "groundswell", "groundswell", "tide-4711"


class ClickHouseServer(Server):
    """One server. Port and data outlive ``kill`` and ``start``; ``stop`` removes the data.

    ``grants`` are statements that give its user rights from the next ``start`` on; None gives all.
    """

    name = "ClickHouse"

    def __init__(self) -> None:
        if find_spec("chdb") is None:
            raise CannotStartError("the engine of ClickHouse is missing: make clickhouse")
        super().__init__()
        self.grants: Sequence[str] | None = None
        self.data = self.folder / "data"
        self.port = free_port()
        self.url = self.at(DATABASE)

    @property
    def told(self) -> str:
        """The address of its database."""
        return self.url

    def at(self, database: str, port: int | None = None) -> str:
        """The address of a database, through another port if one is given."""
        return f"clickhouse://{USER}:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def new_database(self) -> str:
        """Makes a database and gives its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def run(self, statement: str) -> str:
        """What the server answers to a statement."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/",
            data=statement.encode(),
            headers={"Authorization": f"Basic {login}"},
        )
        with urllib.request.urlopen(asked, timeout=60) as told:
            body: bytes = told.read()
        return body.decode()

    def command(self) -> list[str]:
        """The engine in a process of its own."""
        module = ["-m", "tests.servers.clickhouse_http", str(self.port), str(self.data)]
        root = Path(__file__).parents[2]
        start = ["env", "-C", str(root), sys.executable]
        return [*dies_with_us(), *start, *module, USER, PASSWORD, DATABASE, *self._config()]

    def _config(self) -> list[str]:
        """The file that says what the user may, none if everything."""
        if self.grants is None:
            return []
        users, config = self.folder / "users.xml", self.folder / "config.xml"
        granted = "".join(f"<query>{grant}</query>" for grant in self.grants)
        users.write_text(_USERS.format(grants=granted))
        config.write_text(_CONFIG.format(users=users))
        return [str(config)]

    def serves(self) -> bool:
        """Whether it answers."""
        try:
            return self.run("SELECT 1") == "1\n"
        except (URLError, OSError):
            return False


if __name__ == "__main__":
    run_until_told(ClickHouseServer)
