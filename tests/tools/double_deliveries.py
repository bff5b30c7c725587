#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A stub of a server that delivers twice: a proxy before a real one.

    double_deliveries.py LISTEN_PORT SERVER_PORT EVERY

Passes everything on between a client and 127.0.0.1:SERVER_PORT, but for each
EVERYth delivery of a consumer (MSG or HMSG with a reply subject in $JS.ACK),
which it sends to the client a second time, byte by byte the same.
"""
import socket
import sys
import threading


def frame_read(stream):
    """One line and, of MSG and HMSG, its payload; empty at the end."""
    line = stream.readline()
    words = line.split()
    if words and words[0].upper() in (b"MSG", b"HMSG"):
        return line + stream.read(int(words[-1]) + 2)
    return line


def is_delivery(frame):
    return frame[:4].upper() in (b"MSG ", b"HMSG") and b" $JS.ACK." in frame


def to_client(server, client, every):
    stream = server.makefile("rb")
    count = 0
    try:
        while frame := frame_read(stream):
            client.sendall(frame)
            if is_delivery(frame):
                count += 1
                if count % every == 0:
                    client.sendall(frame)
    except OSError:
        pass
    client.close()


def to_server(client, server):
    try:
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main():
    listen, port, every = (int(arg) for arg in sys.argv[1:4])
    front = socket.create_server(("127.0.0.1", listen))
    while True:
        client, _ = front.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for target, args in ((to_client, (server, client, every)),
                             (to_server, (client, server))):
            threading.Thread(target=target, args=args, daemon=True).start()


main()
