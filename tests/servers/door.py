"""A door between clients and a server of tests: all that passes can be meddled with."""

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Carry = Callable[[socket.socket, socket.socket], None]


class Door(ABC):
    """Takes connections on ``port`` and makes one to ``target`` for each.

    Two threads carry each connection's bytes, a way each; what they do with them is theirs.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @abstractmethod
    def ask(self, client: socket.socket, server: socket.socket) -> None:
        """Carries what the client says. May raise OSError when either end is gone."""

    @abstractmethod
    def answer(self, server: socket.socket, client: socket.socket) -> None:
        """Carries what the server says. May raise OSError when either end is gone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            shut(each)
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._open += [client, server]
            for carry, ends in ((self.ask, (client, server)), (self.answer, (server, client))):
                thread = threading.Thread(target=self._carry, args=(carry, ends))
                self._threads.append(thread)
                thread.start()

    def _carry(self, carry: Carry, ends: tuple[socket.socket, socket.socket]) -> None:
        with suppress(OSError):
            carry(*ends)
        shut(ends[1])


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Carries bytes as they are, to the end."""
    while data := source.recv(65_536):
        target.sendall(data)


def shut(each: socket.socket) -> None:
    """Ends both ways of a connection; whoever waits on it wakes up."""
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
