#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Faults on servers that natsburn did not start: their processes are named by
# --unit or --pid. What was stopped is continued even when natsburn is killed.
# systemd does not run where this is tested: a stub stands in for systemctl.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

# systemctl, as far as natsburn uses it, for units "nats@N".
mkdir -p "$work/bin"
cat >"$work/bin/systemctl" <<-'END'
	#!/bin/bash
	[ "$1" = --no-ask-password ] || exit 9
	number=${*: -1}
	number=${number#nats@}
	echo "$*" >>"$STUB/asked"
	case $2 in
	start)
		"$STUB/start" "$number"
		;;
	show)
		[ "$3 $4" = "--property=MainPID --value" ] || exit 9
		pid=$(cat "$STUB/$number/pid")
		kill -0 "$pid" 2>/dev/null || pid=0
		echo "$pid"
		;;
	esac
END
# start N: one of the servers, in the background. It outlives who starts it.
cat >"$work/start" <<-'END'
	#!/bin/bash
	cd "$STUB/$1" || exit
	setsid "$SERVER" -c conf >>output 2>&1 </dev/null &
	echo "$!" >pid
END
chmod +x "$work/bin/systemctl" "$work/start"
export STUB=$work SERVER=$server NATSBURN_TEST_MARK=$mark
export PATH=$work/bin:$PATH

# free_port: nobody listens at it, and nobody is given it by the kernel.
free_port()
{
	local port

	while :; do
		port=$((10000 + RANDOM % 20000))
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	printf '%s\n' "$port"
}

routes=
for i in 1 2 3; do
	route[i]=$(free_port)
	routes=$routes,nats://127.0.0.1:${route[i]}
done
urls=
monitors=
for i in 1 2 3; do
	client=$(free_port)
	monitor=$(free_port)
	urls=$urls,nats://127.0.0.1:$client
	monitors=$monitors,http://127.0.0.1:$monitor
	mkdir "$work/$i"
	cat >"$work/$i/conf" <<-END
		server_name: s$i
		listen: 127.0.0.1:$client
		http: 127.0.0.1:$monitor
		jetstream { store_dir: "$work/$i/store" }
		cluster { name: theirs, listen: 127.0.0.1:${route[i]}
			routes: [${routes#,}] }
	END
	"$work/start" "$i"
done
theirs=(--cluster external --url "${urls#,}" --monitor "${monitors#,}")
pid_of()
{
	cat "$work/$1/pid"
}
pids=$(pid_of 3),$(pid_of 1),$(pid_of 2)

is_whole()
{
	natsburn doctor kv-cas "${theirs[@]}"
	[ "$code" -eq 0 ]
}
await 60 "the cluster is whole" is_whole

# refused PATTERN OPTION...: exit code 3, and nothing was done.
refused()
{
	local pattern=$1

	shift
	natsburn run kv-cas "${theirs[@]}" --duration 5s \
		--out "$work/refused" "$@"
	expect_code 3
	grep -Eq -- "$pattern" "$work/out" "$work/err" ||
		fail "not \"$pattern\": $(cat "$work/out" "$work/err")"
	rm -rf "$work/refused"
}

refused 'mayhem pause .* needs --pid or --unit' --mayhem pause
refused 'mayhem random_hard_kill .* needs --unit' --pid "$pids" \
	--mayhem random_hard_kill
refused "process $$ is no nats-server" --mayhem pause --pid "$pids,$$"
refused 'none of the processes .* server s[12]' --mayhem pause \
	--pid "$(pid_of 3)"

# Until a killed server was started again, and one read its configuration.
start run kv-cas "${theirs[@]}" --unit nats@2,nats@1,nats@3 \
	--mayhem pause,random_reload,random_hard_kill \
	--fault-interval 1s --fault-duration 500ms..1s --duration 10m \
	--out "$work/run"
await 120 "a server is started again" \
	grep -qs 'start --no-block' "$work/asked"
reloaded_twice()
{
	[ "$(cat "$work"/[123]/output |
		grep -c 'Reloaded server configuration')" -ge 2 ]
}
await 120 "a second reload" reloaded_twice
kill -INT "$pid"
finished 200
expect_known run "cas_violated divergence"
expect '.faults | all(.[]; .healed)' "every fault healed"
expect '.faults | any(.[]; .mode == "random_hard_kill" and .applied and
	.applied_how == "SIGKILL, end seen")' "a server was killed"
expect '.faults | any(.[]; .mode == "random_reload" and .applied and
	(.applied_how | test("^SIGHUP, its configuration as it is")))' "a reload"
expect_same_check "$work/run"
forget_run

# Nobody can continue it but the guard.
pids=$(pid_of 3),$(pid_of 1),$(pid_of 2)
is_stopped()
{
	grep -q '^State:[[:space:]]*T' /proc/"$(pid_of 1)"/status \
		/proc/"$(pid_of 2)"/status /proc/"$(pid_of 3)"/status
}
is_continued()
{
	! is_stopped
}
start run kv-cas "${theirs[@]}" --pid "$pids" --mayhem pause \
	--fault-interval 200ms --fault-duration 10m --duration 10m \
	--out "$work/run"
await 60 "a server is stopped" is_stopped
kill_hard natsburn "$pid"
await 10 "the server is continued" is_continued
