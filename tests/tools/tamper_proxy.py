#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A proxy in front of a nats-server that tampers with deliveries.

tamper_proxy.py PORT_FILE UPSTREAM_PORT TWICE DROP NAME

Of the messages that consumers deliver (their reply subject begins with
$JS.ACK.) each TWICE-th is passed on twice, and the first DROP of those to a
consumer whose name contains NAME not at all. 0 is never. Everything else
passes as it is. The proxy's port is written into PORT_FILE.
"""
import os
import socket
import sys
import threading

port_file, upstream, twice, drop, name = sys.argv[1:]
twice, drop = int(twice), int(drop)
lock = threading.Lock()
seen = 0


def copies(reply):
    """How often this delivery is passed on."""
    global seen, drop
    with lock:
        if drop > 0 and name.encode() in reply:
            drop -= 1
            return 0
        seen += 1
        return 2 if twice > 0 and seen % twice == 0 else 1


def to_client(server, client):
    with server.makefile("rb") as lines:
        for line in lines:
            words = line.split()
            if not words or words[0] not in (b"MSG", b"HMSG"):
                client.sendall(line)
                continue
            whole = line + lines.read(int(words[-1]) + 2)
            has_reply = len(words) == (5 if words[0] == b"MSG" else 6)
            reply = words[3] if has_reply else b""
            n = copies(reply) if reply.startswith(b"$JS.ACK.") else 1
            client.sendall(whole * n)


def to_server(client, server):
    while data := client.recv(65536):
        server.sendall(data)


def run(pump, source, target):
    try:
        pump(source, target)
    except (OSError, ValueError):
        pass
    for link in (source, target):
        try:
            link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0))
with open(port_file + ".new", "w") as out:
    print(listener.getsockname()[1], file=out)
os.rename(port_file + ".new", port_file)
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", int(upstream)))
    for pump, source, target in ((to_client, server, client),
                                 (to_server, client, server)):
        threading.Thread(target=run, args=(pump, source, target),
                         daemon=True).start()
