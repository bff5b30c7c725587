#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A --monitor that is no nats-server's: pages without end, of no JSON, nested
# without end, headers without end. Each has a limit, and the run ends soon,
# with the page and what is wrong with it. So does a server that says its
# first line a byte at a time.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v python3 >/dev/null || skip "no python3"
server=$(any_server) || exit

cat >"$work/pages.py" <<'END'
"""pages.py KIND PORT_FILE: answers every request with that kind of page."""
import os
import socket
import sys
import threading
import time

kind, port_file = sys.argv[1:3]
head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
seen = {}


def turn(asked):
    """A server's pages at first, then anything."""
    for page in (b"/varz", b"/jsz", b"/healthz"):
        if page in asked and seen.setdefault(page, 0) < 3:
            seen[page] += 1
            return b'{"version":"2.10.0","status":"ok"}'
    return b"not one of ours"


def serve(link):
    try:
        if kind == "drip":
            for byte in b"INFO {" + b" " * 100000:
                link.sendall(bytes([byte]))
                time.sleep(1)
        asked = link.recv(65536)
        if kind == "headers":
            link.sendall(head)
            while True:
                link.sendall(b"X-More: " + b"m" * 1000 + b"\r\n")
        if kind == "endless":
            link.sendall(head + b"\r\n" + b'{"a":"')
            while True:
                link.sendall(b"x" * 65536)
        body = {"turns": turn(asked),
                "garbage": b"\xff\x00<html>not one of ours</html>",
                "deep": b'{"a":' * 100 + b"1" + b"}" * 100}[kind]
        link.sendall(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n"
                     % len(body) + body)
    except OSError:
        pass
    link.close()


with open(port_file + ".new", "w") as out:
    out.write(str(listener.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],),
                     daemon=True).start()
END

# pages KIND: sets $port
pages()
{
	rm -f "$work/port"
	env NATSBURN_TEST_MARK="$mark" python3 "$work/pages.py" "$1" \
		"$work/port" &
	await 30 "pages are served" test -e "$work/port"
	port=$(<"$work/port")
}

ports_file()
{
	found=$(find "$work" -maxdepth 1 -name '*.ports')
	[ -n "$found" ] && jq -e '.nats[0]' "$found" >/dev/null 2>&1
}

env NATSBURN_TEST_MARK="$mark" "$server" -a 127.0.0.1 -p -1 -js \
	-sd "$work/store" --ports_file_dir "$work" >"$work/server.log" 2>&1 &
await 30 "the server listens" ports_file
url=$(jq -r '.nats[0]' "$work"/*.ports)

# ends CODE REASON OPTIONS...
ends()
{
	local begun=$SECONDS

	rm -rf "$work/run"
	natsburn run queue-group-consumer --cluster external --replicas 1 \
		--mayhem none --duration 3s --out "$work/run" "${@:3}"
	expect_code "$1"
	[ $((SECONDS - begun)) -lt 100 ] ||
		fail "$2: ended after $((SECONDS - begun)) s"
	expect ".verdict == \"inconclusive\" and
		any(.reasons[]; test(\"$2\"))" "the reason"
}

for kind in garbage deep endless headers; do
	pages "$kind"
	case $kind in
	garbage | deep) reason='is no JSON of a nats-server' ;;
	endless) reason='is larger than 16 MiB' ;;
	headers) reason='has more than 64 KiB of headers' ;;
	esac
	ends 69 "127.0.0.1:$port/.* $reason" --url "$url" \
		--monitor "http://127.0.0.1:$port"
done
pages turns
ends 2 "127.0.0.1:$port/.* is no JSON of a nats-server" --url "$url" \
	--monitor "http://127.0.0.1:$port"
pages drip
ends 69 "no server at --url .*: Connection timed out" \
	--url "nats://127.0.0.1:$port"
