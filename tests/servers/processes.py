"""What the servers of tests share: ports, and processes that end when we do."""

import shutil
import socket


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def dies_with_us() -> list[str]:
    """What lets Linux end a process when we are gone, however we went."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
