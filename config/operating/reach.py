"""Whether somebody listens at an address: what can be asked of anything."""

import socket
from urllib.parse import urlsplit

from pipeline.errors import TryLater

#: Where the servers of these schemes listen unless their address says otherwise.
PORTS = {"http": 80, "ws": 80, "redis": 6379, "rediss": 6379}
#: Seconds to wait for a connection.
PATIENCE = 5.0


def connect(address: str, what: str) -> bool:
    """True; raises TryLater naming host and port when nobody answers there."""
    url = urlsplit(address)
    port = url.port or PORTS.get(url.scheme, 443)
    where = url.path if url.scheme == "unix" else f"{url.hostname}:{port}"
    try:
        if url.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(url.path)
        else:
            socket.create_connection((url.hostname or "", port), timeout=PATIENCE).close()
    except OSError as error:
        raise TryLater(f"{what} cannot be reached at {where}: {error}") from error
    return True
