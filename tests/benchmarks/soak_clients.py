"""Clients of the owner's socket, good ones and bad ones, until standard input ends.

usage: python tests/benchmarks/soak_clients.py SOCKET KIND COUNT PAUSE_S [USER]

None of them ever asks for a stop. USER: the number of the user to become.
At the end it prints one line of JSON: connections made, lines heard, bytes sent.
"""

import contextlib
import json
import os
import random
import select
import socket
import sys
import time
from collections.abc import Callable

READ = 65536
SLOWLY = 256  # bytes that a slow one reads at a time
PIECE = 2048


class Clients:
    """`count` connections to one socket, made again whenever they are closed."""

    def __init__(self, path: str, count: int, pause_s: float) -> None:
        self.path = path
        self.pause_s = pause_s
        self.open: list[socket.socket | None] = [None] * count
        self.connected = self.lines = self.sent = 0
        self.random = random.Random(1)

    def each(self) -> list[socket.socket]:
        """All of them, those that were closed connected anew."""
        for i, one in enumerate(self.open):
            if one is None:
                self.open[i] = self.connect()
        return [one for one in self.open if one is not None]

    def connect(self) -> socket.socket | None:
        """One more; None if there is no room now."""
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.setblocking(False)
        try:
            one.connect(self.path)
        except OSError:
            one.close()
            return None
        self.connected += 1
        return one

    def gone(self, client: socket.socket) -> None:
        """It was closed."""
        self.open[self.open.index(client)] = None
        client.close()

    def read(self, client: socket.socket, size: int) -> None:
        """What is there, as much as that."""
        try:
            data = client.recv(size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.lines += data.count(b"\n")
        else:
            self.gone(client)

    def send(self, client: socket.socket, data: bytes) -> None:
        """As much as goes."""
        try:
            self.sent += client.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.gone(client)


def readers(clients: Clients) -> None:
    """Read all that they are told, as it comes."""
    for client in select.select(clients.each(), [], [], 0.1)[0]:
        clients.read(client, READ)


def slow(clients: Clients) -> None:
    """Read less than they are told."""
    for client in clients.each():
        clients.read(client, SLOWLY)
    time.sleep(0.5)


def deaf(clients: Clients) -> None:
    """Never read. Closed, they come again."""
    poll = select.poll()
    for client in clients.each():
        poll.register(client, 0)
    hung_up = {handle for handle, _ in poll.poll(500)}
    for client in clients.each():
        if client.fileno() in hung_up:
            clients.gone(client)
    time.sleep(0.05)


def garbage(clients: Clients) -> None:
    """Send lines of nonsense as fast as they are taken, and read the complaints."""
    for client in clients.each():
        clients.send(client, clients.random.randbytes(PIECE // 2) + b"\n" * (PIECE // 2))
        if client.fileno() >= 0:
            clients.read(client, READ)


def halves(clients: Clients) -> None:
    """Begin lines and never end them."""
    for client in clients.each():
        clients.send(client, b'{"journal": {"seq' * clients.random.randrange(1, 40))
    time.sleep(0.1)


def connects(clients: Clients) -> None:
    """Connect and leave, over and over."""
    for _ in range(100):
        one = clients.connect()
        if one is not None:
            one.close()


def journal(clients: Clients) -> None:
    """Ask the controller for its journal, over and over."""
    for client in clients.each():
        clients.send(client, b'{"journal": {"sequence": %d}}\n' % clients.random.randrange(64))
        if client.fileno() >= 0:
            clients.read(client, READ)
    time.sleep(0.02)


KINDS: dict[str, Callable[[Clients], None]] = {
    each.__name__: each for each in (readers, slow, deaf, garbage, halves, connects, journal)
}


def main() -> None:
    """Until standard input ends."""
    path, kind, count, pause, *user = sys.argv[1:]
    for number in map(int, user):
        os.setgroups([])
        os.setgid(number)
        os.setuid(number)
    clients = Clients(path, int(count), float(pause))
    while not select.select([sys.stdin], [], [], 0)[0]:
        KINDS[kind](clients)
        time.sleep(clients.pause_s)
    for client in clients.each():
        client.close()
    with contextlib.suppress(BrokenPipeError):
        counts = {"connected": clients.connected, "lines": clients.lines, "sent": clients.sent}
        print(json.dumps({"kind": kind, **counts}), flush=True)


if __name__ == "__main__":
    main()
