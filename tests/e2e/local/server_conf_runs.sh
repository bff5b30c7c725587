# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# The runs that are made with each version; sourced with it as argument.
# shellcheck source=tests/e2e/local/server_conf_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/server_conf_lib.sh"

command -v openssl >/dev/null || skip "no openssl"
command -v python3 >/dev/null || skip "no python3"
command -v zstd >/dev/null || skip "no zstd"
"$tests_dir/tools/make_logins.py" "$work/keys" >"$work/keys.log" 2>&1 ||
	fail "make_logins.py: $(<"$work/keys.log")"
keys=$work/keys
stepdown=(--mayhem leader_stepdown --fault-interval 1s --duration 6s --rounds 0)

# The form of the Helm chart, with an include and variables.
takes helm
overrules cluster.name cluster.no_advertise cluster.port cluster.routes \
	http_port jetstream.store_dir lame_duck_duration \
	lame_duck_grace_period pid_file port server_name
has 'MAX_PAYLOAD: 2097152 # '
# shellcheck disable=SC2016 # a variable of the file
has 'max_payload: $MAX_PAYLOAD # '
has 'max_file_store: 10737418240 # '
lacks /data
is_private
removed "$APP_PASSWORD"

# Accounts, without and with a system account.
takes accounts
overrules no_auth_user
has 'user: "burn_2"'
# shellcheck disable=SC2016
has 'permissions: $READER # '
takes system "${stepdown[@]}"
overrules
has 'BURN_2: {'
removed s3cr3t-sys
expect 'any(.faults[]; .healed)' "a leader stepped down"
takes authorization
overrules

# An operator's accounts.
takes "$keys/resolver.conf" --creds "$keys/user.creds"
overrules
refuses '/resolver.conf:1: "operator": accounts come from JWTs; .*--creds' \
	"$keys/resolver.conf"
mkdir "$work/jwts"
sed -n 's/^ *\(A[A-Z0-9]*\): \(eyJ.*\)/\1 \2/p' "$keys/resolver.conf" |
	while read -r key jwt; do
		printf '%s' "$jwt" >"$work/jwts/$key.jwt"
	done
sed "/^resolver:/,\$d" "$keys/resolver.conf" >"$work/full.conf"
cat >>"$work/full.conf" <<END
resolver {
  type: full
  dir: "$work/jwts"
  interval: "2m"
}
END
takes "$work/full.conf" --creds "$keys/user.creds" --sys-creds \
	"$keys/sys.creds" "${stepdown[@]}"
expect 'any(.faults[]; .healed)' "a leader stepped down"
overrules resolver.dir
has "dir: \"$work/run/servers/n1/jwt\""
[ "$(find "$work/run/servers/n1/jwt" -name '*.jwt' | wc -l)" -eq 2 ] ||
	fail "the JWTs were not copied"

# Stores are encrypted, and the key is nobody's.
takes encryption
overrules
removed "$NB_TEST_KEY"
takes listeners
overrules cluster.listen cluster.name gateway.gateways gateway.name \
	gateway.port leafnodes.advertise leafnodes.listen leafnodes.remotes \
	mqtt.host mqtt.port websocket.port
removed l3af-pass

# TLS of clients.
cat >"$work/tls.conf" <<END
tls {
  cert_file: "$keys/server.pem"
  key_file: "$keys/server.key"
  ca_file: "$keys/ca.pem"
  verify: true
}
END
takes "$work/tls.conf" --tls-ca "$keys/ca.pem" --tls-cert \
	"$keys/client.pem" --tls-key "$keys/client.key"
overrules
fails 'no TLS with' "$work/tls.conf"

# On or off, JetStream is there.
for word in enabled true disabled; do
	printf 'jetstream: %s\n' "$word" >"$work/word.conf"
	takes "$work/word.conf"
done
overrules jetstream

# The server's own error, by the place in the user's file.
fails '/unknown\.conf:3: unknown field "sync_intervall"' unknown

# What the servers have in force.
rm -rf "$work/run"
start "${job[@]}" --server-conf "$confs/limits.conf" --rounds 0 \
	--duration 60s
await_work
monitor=$(sed -n 's/^http: "127\.0\.0\.1:\([0-9]*\)".*/\1/p' \
	"$work/run/servers/n1/server.conf")
varz()
{
	exec 7<>"/dev/tcp/127.0.0.1/$monitor" || return 1
	printf 'GET /varz HTTP/1.0\r\n\r\n' >&7
	sed '1,/^\r*$/d' <&7 >"$work/varz.json"
	exec 7<&-
}
varz || fail "no /varz at $monitor"
expect '.max_payload == 8388608 and .max_connections == 500 and
	.max_pending == 33554432 and .ping_interval == 90000000000 and
	.jetstream.config.max_memory == 2000000000 and
	.jetstream.config.max_storage == 21474836480 and
	(.tags == null or .tags == ["az:1", "disk"])' \
	"limits are in force" "$work/varz.json"
kill -INT "$pid"
finished 60
conf=$confs/limits.conf
overrules jetstream.unique_tag

# How often stores are synced, where a version lets them say so. What servers
# tell of it is asked for once in a while.
case $version in
2.9) fails '/sync\.conf:2: unknown field "sync_interval"' sync ;;
*)
	takes sync --rounds 0 --duration 3s
	expect '.servers[0].sync_interval_s == 3' "the sync interval"
	;;
esac

# stores OPTION...: what they are like, by options and without a file.
stores()
{
	conf="$*"
	rm -rf "$work/run"
	natsburn "${job[@]}" "$@"
}
case $version in
2.9)
	stores --sync always
	expect_code 69
	expect '.reasons[0] | test("unknown field \"sync_interval\"")' \
		"what the server said"
	stores --storage-compression s2
	expect_code 69
	expect '.reasons[0] | test("older than nats-server 2.10")' \
		"why nothing is compressed"
	stores --encryption chacha
	;;
*)
	stores --storage-compression s2 --rounds 0 --duration 3s
	expect_code 0
	expect '.options["storage-compression"] == "s2"' "the compression"
	grep -qr '"compression":"s2"' "$work/run/servers" ||
		fail "no stream is compressed"
	stores --encryption chacha --sync always --rounds 0 --duration 3s
	expect '.servers[0].sync == "always"' "each write is synced"
	expect '.options.sync == "always"' "the option"
	;;
esac
expect_code 0
expect '.options.encryption == "chacha"' "the cipher is in the report"
is_private
key=$(sed -n 's/^[[:space:]]*key: "\([0-9a-f]*\)".*/\1/p' \
	"$work/run/servers/n1/server.conf")
[ ${#key} -eq 32 ] || fail "no key in server.conf"
removed "$key"
metas=$(find "$work/run/servers" -name meta.inf)
[ -n "$metas" ] || fail "no stream has left a store"
# shellcheck disable=SC2086
! grep -q num_replicas $metas || fail "the stores are not encrypted"
expect_nothing_survives 10
