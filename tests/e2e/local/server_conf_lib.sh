# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# Short runs with configurations of users' (--server-conf), in server_conf/,
# on one version of nats-server. Sourced with the version as argument. Each
# run stands in an empty folder, where nothing may appear.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

version=$1
server=$(server_of "$version") || skip "no nats-server $version"
confs=$tests_dir/e2e/local/server_conf
mkdir "$work/here"
cd "$work/here" || exit

# What the files take from the environment. SERVER_NAME is not there.
export APP_PASSWORD=appsecret0 NB_TEST_PAYLOAD=2MB
export NB_TEST_KEY=keyforthestores0 NB_TEST_OUTSIDE=$work/here/outside.pid
unset SERVER_NAME

job=(run queue-group-consumer --rounds 20 --quiet-time 0 --mayhem none
	--server-bin "$server" --out "$work/run")

# run_with CONF [OPTION...]: sets $code and $conf.
run_with()
{
	conf=$1
	case $conf in
	/*) ;;
	*) conf=$confs/$conf.conf ;;
	esac
	shift
	rm -rf "$work/run"
	natsburn "${job[@]}" --server-conf "$conf" "$@"
	[ -z "$(ls -A .)" ] || fail "$conf: $(ls -A .) was written here"
}

# takes CONF [OPTION...]: the run passes with it.
takes()
{
	run_with "$@"
	[ "$code" -eq 0 ] ||
		fail "$1: exit code $code: $(head -n 8 "$work/out")"
	expect '.verdict == "pass" and .rounds > 0' "a run with $1"
}

# refuses PATTERN CONF [OPTION...]: before the run, with exit code 64.
refuses()
{
	local pattern=$1

	shift
	run_with "$@"
	expect_code 64
	grep -Eq -- "$pattern" "$work/err" ||
		fail "$1 is refused with \"$(<"$work/err")\""
	[ ! -e "$work/run" ] || fail "$1: there is a run folder"
}

# fails PATTERN CONF [OPTION...]: the servers end, exit code 69.
fails()
{
	local pattern=$1

	shift
	run_with "$@"
	expect_code 69
	jq -r '.reasons[]' "$work/run/report.json" | grep -Eq -- "$pattern" ||
		fail "$1: $(jq -c .reasons "$work/run/report.json")"
}

# overrules [KEY]...: just these, one line each, with the place.
overrules()
{
	diff <([ $# -eq 0 ] || printf '%s\n' "$@" | sort) <(sed -n \
		"s|.* warning: $conf:[0-9]*: \"\([^\"]*\)\" is natsburn's: .*|\1|p" \
		"$work/err" | sort) >&2 || fail "$conf: not the keys overruled"
}

# The configuration of a server has it.
has()
{
	grep -Fq -- "$1" "$work/run/servers/n1/server.conf" ||
		fail "$conf: no $1 in server.conf"
}

lacks()
{
	! grep -Fq -- "$1" "$work/run/servers/n1/server.conf" ||
		fail "$conf: $1 in server.conf"
}

# Only its owner reads what may be secret.
is_private()
{
	[ "$(stat -c %a "$work/run/servers/n1")" = 700 ] ||
		fail "others may look into a server's folder"
	[ "$(stat -c %a "$work/run/servers/n1/server.conf")" = 600 ] ||
		fail "others may read server.conf"
}

# removed SECRET...: in server.conf, and not in the bundle.
removed()
{
	local word

	"$NATSBURN" dump "$work/run" >"$work/dumped" 2>&1 ||
		fail "dump: $(<"$work/dumped")"
	zstd -dcq "$work/run/bundle.tar.zst" >"$work/bundle.tar"
	for word in "$@"; do
		has "$word"
		! grep -Faq -- "$word" "$work/bundle.tar" ||
			fail "$word is in the bundle"
	done
}
