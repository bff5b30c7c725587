#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Stands between clients and NATS servers, and tampers with deliveries.

tamper_proxy.py MODE PORTS_FILE PORT...

For each PORT of a server on 127.0.0.1 it listens on a port of its own; these
are written into PORTS_FILE, in one line. MODE is what it does to deliveries
of JetStream from the servers, several of these with commas between them:

    swap       every third comes behind the one that follows it
    mute       those of natsburn's own consumers in the audit never come
    twice=N    each N-th comes twice
    drop=NAME  the first to a consumer whose name contains NAME never comes
"""
import os
import re
import socket
import sys
import threading

modes = dict(word.partition("=")[::2] for word in sys.argv[1].split(","))
ports_file = sys.argv[2]
servers = [int(port) for port in sys.argv[3:]]


def frames(link):
    """What a server sends, each frame by itself: its first line, and all."""
    left = b""
    while True:
        end = left.find(b"\r\n")
        if end >= 0:
            line = left[:end]
            size = end + 2
            if line.startswith((b"MSG ", b"HMSG ")):
                size += int(line.rsplit(b" ", 1)[1]) + 2
            if len(left) >= size:
                yield line, left[:size]
                left = left[size:]
                continue
        data = link.recv(1 << 18)
        if not data:
            return
        left += data


class Tamper:
    """What comes of the deliveries of all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = 0
        self.drop = modes.get("drop")

    def copies(self, line):
        """How often this one is passed on."""
        with self.lock:
            if "mute" in modes and b".natsburn_" in line:
                return 0
            if self.drop and self.drop.encode() in line:
                self.drop = None
                return 0
            self.seen += 1
            every = int(modes.get("twice", 0))
            return 2 if every and self.seen % every == 0 else 1


tamper = Tamper()


def down(server, client):
    """From the server to the client."""
    count = 0
    held = b""
    for line, frame in frames(server):
        if line.startswith(b"INFO "):  # they must not go around us
            frame = re.sub(rb'"connect_urls":\[[^]]*\],?', b"", frame)
        elif b" $JS.ACK." in line:
            frame *= tamper.copies(line)
            count += 1
            if "swap" in modes and count % 3 == 0 and not held:
                held = frame
                continue
            frame, held = frame + held, b""
        client.sendall(frame)


def up(client, server):
    while True:
        data = client.recv(1 << 18)
        if not data:
            return
        server.sendall(data)


def carry(one, other, way):
    try:
        way(one, other)
    except OSError:
        pass
    for link in (one, other):
        try:
            link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, port):
    while True:
        client = listener.accept()[0]
        try:
            server = socket.create_connection(("127.0.0.1", port))
        except OSError:
            client.close()
            continue
        for link in (client, server):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for args in ((server, client, down), (client, server, up)):
            threading.Thread(target=carry, args=args, daemon=True).start()


listeners = []
for _ in servers:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    listeners.append(listener)
with open(ports_file + ".new", "w") as out:
    print(*(each.getsockname()[1] for each in listeners), file=out)
os.rename(ports_file + ".new", ports_file)
for listener, port in zip(listeners[1:], servers[1:]):
    threading.Thread(target=serve, args=(listener, port), daemon=True).start()
serve(listeners[0], servers[0])
