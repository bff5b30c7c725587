#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Faults on a cluster of somebody else's: the leaders of three servers, with
# credentials and TLS everywhere, are asked to step down by a user of the
# system account. Without one the run is skipped, with a wrong one it ends at
# once; what it logs in with is seen nowhere.
# shellcheck source=tests/e2e/external/auth_lib.sh
. "$(dirname "$0")/auth_lib.sh"

server=$(any_server) || exit

read -r -a routes < <(python3 - <<'END'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))
END
)
urls=
monitors=
tls="{ cert_file: \"$keys/server.pem\", key_file: \"$keys/server.key\" }"

# one_of_three N: sets found
one_of_three()
{
	local dir=$work/n$1

	mkdir "$dir"
	cat >"$dir/conf" <<-END
		server_name: n$1
		listen: "127.0.0.1:-1"
		https: "127.0.0.1:-1"
		tls $tls
		jetstream { store_dir: "$dir/store" }
		cluster { name: C, listen: "127.0.0.1:${routes[$1 - 1]}"
			routes: [ $(printf '"nats://127.0.0.1:%s", ' \
				"${routes[@]}") ] }
		include "../keys/resolver.conf"
	END
	env NATSBURN_TEST_MARK="$mark" "$server" -c "$dir/conf" \
		--ports_file_dir "$dir" >"$dir/log" 2>&1 &
}

have_ports()
{
	jq -e '.nats[0] and .monitoring[0]' "$work/n$1"/*.ports >/dev/null 2>&1
}

for n in 1 2 3; do
	one_of_three "$n"
done
for n in 1 2 3; do
	await 30 "server $n listens" have_ports "$n"
	at=$(jq -r '.nats[0]' "$work/n$n"/*.ports)
	urls=${urls:+$urls,}nats://localhost:${at##*:}
	at=$(jq -r '.monitoring[0]' "$work/n$n"/*.ports)
	monitors=${monitors:+$monitors,}https://localhost:${at##*:}
done
job=(run durable-pull-consumer --cluster external --replicas 3 --consumers 2
	--quiet-time 1s --duration 8s --fault-interval 1s --url "$urls"
	--tls-ca "$keys/ca.pem" --creds "$keys/user.creds" --out "$work/run"
	--mayhem leader_stepdown --seed 5)
seed=$(grep '^SU' "$keys/sys.creds")
passes "$seed" --monitor "$monitors" --sys-creds "$keys/sys.creds"
expect '(.faults | length > 2) and all(.faults[]; .applied and .healed)' \
	"the faults"
# By the system account, and by that of the streams.
expect '[.faults[].target] | any(contains("meta leader"))' \
	"the meta leader was never asked"
expect '[.faults[].target] | any(contains("leader of NB_"))' \
	"no leader of a stream or consumer was asked"
expect '.command | test("--sys-creds [^ ]*/sys.creds")' "the command"
expect_same_check "$work/run"

# A user, but not of the system account.
refused 'no server takes --sys-creds' "$seed" --monitor "$monitors" \
	--sys-creds "$keys/user.creds"
refused 'no server takes --sys-user .sys.' "$secret" --monitor "$monitors" \
	--sys-user sys --sys-password-file "$work/secret"
rm -rf "$work/run"
natsburn "${job[@]}" --monitor "$monitors"
expect_code 3
expect '.reasons[0] | test("leader_stepdown .* needs --monitor and the system")' \
	"the reason"
pids=$(marked)
# shellcheck disable=SC2086
kill $pids
expect_nothing_survives 10
