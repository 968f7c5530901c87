"""Redis or Valkey for tests, benches and people: one server on loopback that keeps nothing on disk.

``python -m tests.servers.redis`` prints its address and runs it until Ctrl-C.
Wants ``apt-get install redis-server`` (or ``valkey-server``).
"""

import shutil

import redis

from tests.servers.processes import dies_with_us, free_port
from tests.servers.server import CannotStartError, Server, run_until_told

PASSWORD = "tide-4711"


class RedisServer(Server):
    """One server with a password, at ``url``. ``kill`` takes all that is in it."""

    name = "Redis"
    start_seconds, stop_seconds = 30.0, 10.0

    def __init__(self) -> None:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise CannotStartError("Redis is missing: apt-get install redis-server")
        super().__init__()
        self._program = found
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    @property
    def told(self) -> str:
        """The address with the password."""
        return self.url

    def command(self) -> list[str]:
        """The server without persistence."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", PASSWORD]
        nothing_kept = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        return [*dies_with_us(), self._program, *options, *nothing_kept]

    def serves(self) -> bool:
        """Whether it answers a ping."""
        client = redis.Redis.from_url(self.url)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()


if __name__ == "__main__":
    run_until_told(RedisServer)
