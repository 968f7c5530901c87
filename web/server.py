"""Runs the page in a thread of its own, bound before anything slow is loaded."""

import socket
import threading

import uvicorn
from starlette.applications import Starlette

from pipeline.errors import GiveUp

HOST = "127.0.0.1"


def bind(port: int, host: str = HOST) -> socket.socket:
    """A socket listening on ``host:port`` (port 0: any free one). Raises GiveUp when it is taken.

    Connections queue from here on, so a browser opened at once finds the page.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise GiveUp(f"port {port} on {host} is taken: choose another port") from error
    return listener


class Server:
    """The page, served from a thread until ``close``."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        self._listener = listener
        host, port = listener.getsockname()[:2]
        #: The page's address, for a person to open.
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        # Streams never end by themselves: one second is for answers under way.
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Begins to answer; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Ends all streams and lets go of the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._listener.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])
