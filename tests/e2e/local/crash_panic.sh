#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A server that panics and one that reports a data race convict, with the
# place in their program, without any mayhem. No real server does either when
# it is asked to, so a stub runs the real one and writes what Go's runtime
# writes: a panic, and it ends with code 2; or a data race, and it lives on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
traces=$tests_dir/chaos/traces
cat >"$work/stub" <<END
#!/bin/bash
[ "\$1" = -c ] || exec "$server" "\$@"
"$server" "\$@" &
child=\$!
for signal in TERM HUP USR2; do
	trap "kill -\$signal \$child" \$signal
done
me=\$(basename "\$(dirname "\$2")")
while kill -0 \$child 2>/dev/null; do
	if mv "$work/race.\$me" "$work/race.done" 2>/dev/null; then
		cat "$traces/race.txt" "$traces/race.txt" >&2
	fi
	if mv "$work/panic.\$me" "$work/panic.done" 2>/dev/null; then
		kill -9 \$child
		cat "$traces/panic.txt" >&2
		exit 2
	fi
	sleep 0.1 &
	wait \$!
done
wait \$child
END
chmod +x "$work/stub"


start run queue-group-consumer --mayhem none --duration 10m --consumers 2 \
	--server-bin "$work/stub" --limit-server-memory 1MiB --out "$work/run"
await_work
touch "$work/race.n1" "$work/panic.n2"
await 30 "it panics" test -e "$work/panic.done"
await 30 "it reports a data race" test -e "$work/race.done"
await_work
await_work
kill -INT "$pid"
finished 120
expect_code 1
expect_nothing_survives 10
expect '[.anomalies[] | select(.class == "violation") | .kind] | sort ==
	["crashed", "crashed", "leak", "leak", "leak"]' "these"
expect '[.anomalies[] | select(.kind == "leak") | .says] |
	all(.[]; test("^server n[123] has [0-9]+ bytes of memory, more than " +
	"--limit-server-memory 1048576, "))' "each server above its limit"
expect '[.anomalies[] | select(.kind == "crashed") | .says] |
	any(.[]; test("server n2 .* by itself .* with exit code 2: panic: " +
	"runtime error: invalid memory .* in server.\\(\\*stream\\)" +
	".isMigrating \\(jetstream_cluster.go:1937\\) < server"))' "the panic"
expect '[.anomalies[] | select(.kind == "crashed") | .says] |
	any(.[]; test("server n1 .* reports a data race, in Write: server." +
	"\\(\\*raft\\).addPeer \\(raft.go:3062\\); Previous read: "))' \
	"the data race, once"
expect '.faults | length == 1 and .[0].mode == "crash" and .[0].healed' \
	"it is started again"
expect_valid_report "$work/run"
expect_same_check "$work/run"
