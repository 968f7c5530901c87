"""A door between a client and a server that is shut at a moment that a test names."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Wanted = Callable[[bytes], bool]


class CuttingDoor:
    """Passes bytes on, until it sees what it waits for: that is lost, and with it the connection.

    ``to_server`` and ``to_client`` are asked about each stretch of bytes on its way; the first True
    of either cuts that connection. Later ones pass untouched.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.to_server: Wanted | None = None
        self.to_client: Wanted | None = None
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            for source, target, name in (
                (client, server, "to_server"),
                (server, client, "to_client"),
            ):
                thread = threading.Thread(target=self._pass_on, args=(source, target, name))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, name: str) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                wanted: Wanted | None = getattr(self, name)
                if wanted is not None and wanted(data):
                    self.to_server = self.to_client = None
                    self.cuts += 1
                    break
                target.sendall(data)
        _shut(source)
        _shut(target)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
