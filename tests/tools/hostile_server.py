#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A server that speaks just enough NATS and HTTP to be looked at.

hostile_server.py PORTS_FILE NAME VERSION [HEALTHZ]

It answers every client with an INFO line of this name and version, and
every request for a page with what a server's pages have. NAME, VERSION and
HEALTHZ are bytes with Python's escapes, so that they can be anything. The
ports (NATS and HTTP) are written into PORTS_FILE.
"""
import os
import socket
import sys
import threading


def raw(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def quoted(data):
    """A JSON string; what is no UTF-8 stays as it is."""
    out = b""
    for byte in data:
        plain = byte >= 0x20 and byte not in b'"\\'
        out += bytes([byte]) if plain else b"\\u%04x" % byte
    return b'"' + out + b'"'


ports_file = sys.argv[1]
name, version = (quoted(raw(word)) for word in sys.argv[2:4])
healthz = quoted(raw(sys.argv[4] if len(sys.argv) > 4 else "ok"))


def speak(link):
    link.sendall(b'INFO {"server_id":"X","server_name":' + name +
                 b',"version":' + version +
                 b',"proto":1,"headers":true,"jetstream":true,'
                 b'"max_payload":1048576}\r\n')
    left = b""
    while True:
        data = link.recv(65536)
        if not data:
            return
        left += data
        *lines, left = left.split(b"\r\n")
        for line in lines:
            if line.startswith(b"PING"):
                link.sendall(b"PONG\r\n")


def page(link):
    asked = link.recv(65536)
    status = b"200 OK"
    if b"/healthz" in asked:
        status = b"503 Service Unavailable"
        body = b'{"status":"unavailable","error":' + healthz + b"}"
    else:
        body = (b'{"server_name":' + name + b',"version":' + version + b"}")
    link.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json"
                 b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                 % len(body) + body)


def serve(listener, answer):
    def one(link):
        try:
            answer(link)
        except OSError:
            pass
        link.close()

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],),
                         daemon=True).start()


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


nats, http = listen(), listen()
with open(ports_file + ".new", "w") as out:
    out.write("%d %d\n" % (nats.getsockname()[1], http.getsockname()[1]))
os.rename(ports_file + ".new", ports_file)
threading.Thread(target=serve, args=(http, page), daemon=True).start()
serve(nats, speak)
