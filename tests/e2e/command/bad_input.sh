#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Bad input gets one line that names the option and its value and says what
# to do, and the right exit code; nothing is started and nothing is left.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$work" || exit 1
touch plain
mkdir -p empty
: >executable
chmod +x executable

job="run queue-group-consumer"

# shellcheck disable=SC2086
usage()
{
	refuse 64 '"quue-group.*did you mean queue-group-consumer\?' \
		run quue-group-consumer
	refuse 64 '"xyzzy-plugh".*natsburn list' run xyzzy-plugh
	refuse 64 'which test' run
	refuse 64 'did you mean run' runn queue-group-consumer
	refuse 64 'one word too many' $job kv-cas
	refuse 64 '"rolling_restrat".*did you mean rolling_restart\?' \
		$job --mayhem rolling_restrat
	refuse 64 '--mayhem.*none stands alone' \
		$job --mayhem none,random_reload
	refuse 64 '--mayhem kill_all: puts 3 of 3 .*--tolerate minority' \
		$job --mayhem kill_all
	refuse 64 '--mayhem kill_majority: puts 2 of 3 .*--tolerate 1;' \
		$job --mayhem pause,kill_majority --tolerate 1
	refuse 64 '--schedule "plain": must be the report.json of a run' \
		$job --mayhem pause --seed 1 --schedule plain
	refuse 64 'replay: which run' replay
	refuse 64 'compare: two folders or more' compare empty
	refuse 64 '"empty": has no report.json of a run, no matrix' \
		compare empty empty
	refuse 64 '"empty": has no report.json of a run' replay empty
	refuse 64 'unknown moment "ackd"; did you mean acked\?' \
		$job --mayhem pause --aim publish,ackd
	refuse 64 '--aim "acked": there is no fault to aim; --mayhem' \
		$job --aim acked
	refuse 64 '--limit "stal<10s": must be .*; did you mean stall\?' \
		$job --limit 'stal<10s'
	for bad in most 0 10 -1 ""; do
		refuse 64 "--tolerate \"$bad\": must be minority, none, or" \
			$job --tolerate "$bad"
	done
	refuse 64 '--fault-duration "9s..2s": must be a time' \
		$job --fault-duration 9s..2s
	refuse 64 '--mayhem rolling_upgrade: needs two binaries' \
		$job --mayhem rolling_upgrade
	refuse 64 '--mayhem leader_stepdown: .*--servers 1' \
		$job --mayhem leader_stepdown --servers 1 --replicas 1
	refuse 64 '--mayhem partition: -o partition.shape=ring .*--servers 4' \
		$job --mayhem partition -o partition.shape=ring
	refuse 64 '-o partition.shape "oval": must be one of' \
		$job --mayhem partition -o partition.shape=oval
	refuse 64 '-o "partition.shape=ring": must be queue-group-consumer.KEY' \
		$job --mayhem pause -o partition.shape=ring
	refuse 64 'which faults\? natsburn mayhem MODE' mayhem
	refuse 64 'unknown mayhem mode "pauze"; did you mean pause' mayhem pauze
	refuse 64 'cluster upp: must be' cluster upp
	refuse 64 '"empty": no cluster of natsburn is up there' \
		cluster status empty
	refuse 64 '"empty": no cluster of natsburn is up there' \
		cluster down empty
	refuse 64 '--mahyem; did you mean --mayhem\?' $job --mahyem none
	refuse 64 '-duration' $job -duration 3s
	export NATSBURN_FAULT_INTERVL=3s
	refuse 64 'INTERVL: no .*; did you mean NATSBURN_FAULT_INTERVAL\?' $job
	unset NATSBURN_FAULT_INTERVL
	NATSBURN_SERVICE_PORT=1 natsburn doctor --test liar --cluster null
	expect_code 0
	refuse 64 'unknown mayhem mode "pauze"; did you mean pause' \
		doctor --mayhem pauze
	refuse 64 '--duration needs a value' $job --duration
	for bad in 10x -1s 1.5 "" 5 99999999999h; do
		refuse 64 "--duration \"$bad\": must be a duration" \
			$job --duration "$bad"
	done
	refuse 64 '--consumers "0": must be a number from 1' \
		$job --consumers 0
	refuse 64 '--clients 2: test queue-group-consumer has no clients; --con' \
		$job --clients 2
	refuse 64 '--consumers 500: test kv-cas has no consumers; --clients' \
		run kv-cas --consumers 500
	refuse 64 '--clients 2: no test in this matrix has clients' \
		matrix --tests queue-group-consumer --clients 2
	refuse 64 '--storage "disk": must be one of file, memory' \
		$job --storage disk
	refuse 64 'did you mean local' $job --cluster lokal
	refuse 64 '-o liar.plnt; did you mean -o liar.plant\?' \
		run liar --cluster null -o liar.plnt=lost
	refuse 64 '-o liar.plant "lots": must be one of' \
		run liar --cluster null -o liar.plant=lots
	refuse 64 '-o "liar.plant=lost": must be queue-group-consumer' \
		$job -o liar.plant=lost
	refuse 64 '-o "plant": must be' run liar --cluster null -o plant
	refuse 64 '--replicas 5: more than --servers 3' $job --replicas 5
	refuse 64 '--replicas 3: more than --servers 1' \
		$job --servers 1 --replicas 3
	refuse 64 '--cluster external: needs --url' $job --cluster external
	refuse 64 '--url "nats://127.0.0.1:1": goes with --cluster external' \
		$job --cluster local --url nats://127.0.0.1:1
	refuse 64 '--context "none": .*none.json": No such file' \
		$job --context none
	refuse 64 '--context "none": goes with --cluster external, not local' \
		$job --context none --cluster local
	refuse 64 '--k8s-context "x": goes with --cluster kubernetes' \
		$job --k8s-context x
	refuse 64 '--k8s-reach "by-foot": .*auto, direct' \
		$job --cluster kubernetes --k8s-reach by-foot
	for bad in Nats -nats nats- na.ts "na ts"; do
		refuse 64 "--k8s-statefulset \"$bad\": must be letters a-z" \
			$job --cluster kubernetes --k8s-statefulset "$bad"
		refuse 64 "--k8s-namespace \"$bad\": must be letters a-z" \
			$job --cluster kubernetes --k8s-namespace "$bad"
	done
	refuse 64 '--k8s-image "x": goes with --cluster kubernetes' \
		$job --k8s-image x
	refuse 64 '--k8s-image "a b": must be the name of an image' \
		$job --cluster kubernetes --k8s-image "a b"
	refuse 64 '--mayhem rolling_upgrade: needs the image .*--k8s-image' \
		$job --cluster kubernetes --mayhem rolling_upgrade
	refuse 64 '--k8s-kubeconfig "/nowhere": No such file' \
		$job --cluster kubernetes --k8s-kubeconfig /nowhere
	refuse 64 '--encryption "des": .*none, aes' $job --encryption des
	refuse 64 '--storage-compression "s2": needs --storage file' \
		$job --storage memory --storage-compression s2
	refuse 64 '--sync "soon": must be always, or a time' $job --sync soon
	refuse 64 '--sync "0": must be' $job --sync 0
	refuse 64 '--sync "1d": must be' $job --sync 1d
	refuse 64 '--sync "5s": goes with --cluster local, not external' \
		$job --cluster external --url nats://127.0.0.1:1 --sync 5s
	refuse 64 'cluster down --cluster local' \
		cluster down --cluster local
	refuse 64 '--cluster null' run liar
}

# shellcheck disable=SC2086
paths()
{
	refuse 64 '--server-bin "/no/such": No such file' \
		$job --server-bin /no/such
	refuse 64 '--server-bin "plain": is not an executable file' \
		$job --server-bin plain
	refuse 64 '--server-bin "empty": is not an executable file' \
		$job --server-bin empty
	refuse 64 '--server-conf "/no/such": No such file' \
		$job --server-conf /no/such
	printf 'max_payload: 1MB\njetstream {\n' >open.conf
	refuse 64 '^natsburn: open.conf:2: the { is not closed' \
		$job --server-conf open.conf
	printf 'include open.conf' >include.conf
	refuse 64 '^natsburn: open.conf:2: the { is not closed' \
		$job --server-conf include.conf
	printf 'jetstream {\nsync: 5s\nek: abc\n}\n' >stores.conf
	refuse 64 '^natsburn: stores.conf:3: "jetstream.ek" and --encryption ' \
		$job --server-conf stores.conf --encryption aes
	refuse 64 '^natsburn: stores.conf:2: "jetstream.sync" and --sync say ' \
		$job --server-conf stores.conf --sync always
	printf 'accounts: 5\n' >kind.conf
	refuse 64 '^natsburn: kind.conf:1: "accounts" must be a map' \
		$job --server-conf kind.conf
	printf '\noperator: x.jwt\n' >operator.conf
	refuse 64 '^natsburn: operator.conf:2: .* with --creds FILE' \
		$job --server-conf operator.conf
	refuse 64 '--out "/dev/null/x": cannot make this folder' \
		run liar --cluster null --out /dev/null/x
	refuse 64 '"/no/such" holds no journal' check /no/such
	refuse 64 '"empty" holds no journal' check empty
	refuse 64 'which run folder' check
	refuse 64 '"/no/such" holds no journal' report /no/such
	refuse 64 '"empty" holds no journal' dump empty
	refuse 64 'which run folder' report
	refuse 64 'which run folder' dump

	natsburn run liar --cluster null --rounds 10 --quiet --out "$work/run"
	expect_code 0
	refuse 64 "--out \"$work/run\": holds an earlier run already" \
		run liar --cluster null --out "$work/run"
	expect_same_check "$work/run"
}

refuse_login()
{
	refuse 64 "$@"
	! grep -q hush "$work/err" || fail "natsburn $*: tells a secret"
}

# How to log in. What is secret is not repeated.
# shellcheck disable=SC2086
logins()
{
	local job="$job --cluster external" at="--url nats://127.0.0.1:1" one

	printf 'hushhush\n' >secret
	printf 'hush\nhush\n' >lines
	printf '\n' >blank
	head -c 300 /dev/zero | tr '\0' h >long
	printf -- '-----BEGIN ENCRYPTED PRIVATE KEY-----\n' >locked
	printf -- '-----BEGIN CERTIFICATE-----\n' >certificate
	printf -- '-----BEGIN PRIVATE KEY-----\n' >key
	printf 'NATS USER JWT, USER NKEY SEED\n' >creds
	for one in password-file token-file nkey creds tls-ca; do
		refuse_login "--$one \"/no/such\": No such file" \
			$job $at --user u --$one /no/such
		refuse_login "--$one \"empty\": Is a directory" \
			$job $at --user u --$one empty
	done
	for one in blank lines plain; do
		refuse_login "--token-file \"$one\": must hold the token in one" \
			$job $at --token-file $one
	done
	refuse_login '--password-file "long": must hold at most 255 bytes' \
		$job $at --user u --password-file long
	refuse_login '--nkey "secret": must hold the seed of a user nkey' \
		$job $at --nkey secret
	refuse_login '--creds "secret": must hold a user.s JWT and nkey seed' \
		$job $at --creds secret
	# The secret itself where a file is meant; hush is never said.
	for one in nkey creds sys-nkey sys-creds tls-key password-file user; do
		for bad in "SUA$(printf 'HUSH%.0s' {1..14})" \
			"eyJ$(printf 'hush%.0s' {1..20}).hush.hush" \
			"-----BEGIN PRIVATE KEY----- hush"; do
			refuse_login "$one: is a secret itself; put it into a file" \
				$job $at --$one "$bad"
		done
	done
	refuse_login '--tls-ca "secret": must hold certificates' \
		$job $at --tls-ca secret
	refuse_login '--tls-cert "secret": must hold a certificate' \
		$job $at --tls-cert secret --tls-key key
	refuse_login '--tls-key "secret": must hold a private key' \
		$job $at --tls-cert certificate --tls-key secret
	refuse_login '--tls-key "locked": must not be encrypted' \
		$job $at --tls-cert certificate --tls-key locked
	refuse_login '--tls-cert "certificate": goes with --tls-key FILE' \
		$job $at --tls-cert certificate
	refuse_login '--tls-key "key": goes with --tls-cert FILE' \
		$job $at --tls-key key
	refuse_login '--password: goes with --user' $job $at --password hushhush
	refuse_login '--password-file: goes with --user' \
		$job $at --password-file secret
	refuse_login '--password-file "secret": goes without --password$' \
		$job $at --user u --password hushhush --password-file secret
	refuse_login '--creds "creds": goes without --user "u"; there is one way' \
		$job $at --creds creds --user u --password hushhush
	refuse_login '--creds "creds": goes without --token "\.\.\."' \
		$job $at --creds creds --token-file secret
	refuse_login '--url "nats://h:1": has a user or token before its @' \
		$job --url nats://u:hushhush@h:1 --token hushhush
	refuse_login '--url: must have the same user and password in each' \
		$job --url nats://u:hushhush@h:1,nats://u:hush@h:2
	refuse_login '--url "ws://h:1": must be nats://HOST:PORT or tls://' \
		$job --url ws://h:1
	for one in nats:// nats://h:x nats://h:0 nats://h:65536 'nats://h/x'; do
		refuse_login "--url \"$one\": must be nats://HOST:PORT" \
			$job --url "$one"
	done
	refuse_login '--url "\.\.\.": must be nats://HOST:PORT' \
		$job --url nats://u:hushhush,hush@h:1
	refuse_login '--url "\.\.\.": user:password before the @ .*%XX' \
		$job --url nats://u:hush%hush@h:1
	refuse_login '--monitor "h:1": must be http://HOST:PORT or https' \
		$job $at --monitor h:1
	refuse_login '--monitor "\.\.\.": must have no user and password' \
		$job $at --monitor http://u:hushhush@h:1
	refuse_login '--user "u": goes with --cluster external or kubernetes, not' \
		run kv-cas --user u
	refuse_login '--password: goes with --user' run kv-cas --password hushhush
	refuse_login '--token: goes with --cluster external or kubernetes, not' \
		run kv-cas --token hushhush
	refuse_login '--sys-creds "creds": goes without --sys-user "s"' \
		$job $at --sys-creds creds --sys-user s
	refuse_login '--sys-password: goes with --sys-user NAME' \
		$job $at --sys-password hushhush
	refuse_login '--sys-user "s": goes with --cluster external or kubernetes' \
		run kv-cas --sys-user s
	refuse_login '--k8s-reach proxy: goes with --url' \
		run kv-cas --cluster kubernetes --k8s-reach proxy
	refuse_login '--tls "true": goes with --cluster external' \
		run kv-cas --tls
	NATSBURN_PASSWORD=$(<long) refuse_login \
		'in the environment, NATSBURN_PASSWORD: .*"\.\.\.": must be at' \
		$job $at --user u
}

# What shows only when something was started: reported as a run is.
cluster()
{
	natsburn run queue-group-consumer --cluster external --quiet \
		--url nats://127.0.0.1:1 --json --out "$work/unreachable"
	expect_code 69
	expect '.exit_code == 69 and (.reasons[0] |
		test("--url \"nats://127.0.0.1:1\": Connection refused"))' \
		"the reason" "$work/unreachable/report.json"

	natsburn run queue-group-consumer --cluster external --quiet \
		--url nats://127.0.0.1:1 --mayhem rolling_restart \
		--json --out "$work/skipped"
	expect_code 3
	expect '.verdict == "skipped" and (.reasons[0] |
		test("mayhem rolling_restart on .* needs --unit, .*--monitor"))' \
		"the reason" "$work/skipped/report.json"

	# An executable that is no nats-server.
	printf '#!/bin/sh\necho "no such flag: -c" >&2\nexit 1\n' >fake
	chmod +x fake
	natsburn run queue-group-consumer --server-bin "$work/fake" --quiet \
		--json --out "$work/fake.run"
	expect_code 69
	expect '.reasons[0] | test("no such flag: -c")' \
		"the last words of the server" "$work/fake.run/report.json"
}

# with_descriptors N ARGUMENTS...
with_descriptors()
{
	local limit=$1

	shift
	code=0
	(
		ulimit -n "$limit"
		exec env NATSBURN_TEST_MARK="$mark" "$NATSBURN" "$@"
	) >"$work/out" 2>"$work/err" || code=$?
}

descriptors()
{
	local server need

	server=$(any_server) || return 0
	set -- run queue-group-consumer --servers 1 --replicas 1 --quiet \
		--quiet-time 0 --duration 1s --server-bin "$server" \
		--out "$work/few"
	with_descriptors 64 "$@" --consumers 30
	expect_code 64
	[ "$(wc -l <"$work/err")" -eq 1 ] || fail "not one line"
	grep -q 'limit is 64: raise it (ulimit -n ' "$work/err" ||
		fail "says \"$(cat "$work/err")\""
	need=$(sed 's/.*(ulimit -n \([0-9]*\)).*/\1/' "$work/err")
	with_descriptors "$((need - 1))" "$@" --consumers 30
	expect_code 64
	# What it says is enough is enough.
	with_descriptors "$need" "$@" --consumers 30
	expect_code 0
	# Whatever is allowed to begin must also work.
	with_descriptors 64 run liar --cluster null --rounds 10 --quiet \
		--out "$work/fewer"
	[ "$code" -eq 0 ] || [ "$code" -eq 64 ] ||
		fail "64 descriptors: exit code $code"
}

# A limit of processes has a name. Root has none: somebody else then.
processes()
{
	local -a as=()

	if [ "$(id -u)" -eq 0 ]; then
		as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
		"${as[@]}" test -x "$NATSBURN" || return 0
	fi
	code=0
	(
		cd / || exit
		ulimit -u 20
		exec "${as[@]}" env NATSBURN_TEST_MARK="$mark" "$NATSBURN" \
			doctor --test liar --cluster null
	) >"$work/out" 2>"$work/err" || code=$?
	expect_code 64
	grep -q 'but ulimit -u of this user allows 20, ' "$work/err" ||
		fail "says \"$(cat "$work/err")\""
	grep -q '^BAD *processes ' "$work/out" || fail "the doctor is content"
}

# A job file is bad input with a line number.
jobs()
{
	local file

	while IFS='|' read -r pattern text; do
		printf '%b' "$text" >job.ini
		refuse 64 "$pattern" run --job job.ini
	done <<-'END'
		job.ini:1: duration "5x": must be a duration|duration = 5x
		job.ini:2: test "pipelin": there is none of|[a]\ntest = pipelin
		job.ini:2: .* --durration; .*--duration\?|#\ndurration = 5s
		job.ini:3: .*pipeline.siz; .*pipeline.size\?|\n\n pipeline.siz = 3
		job.ini:1: kv-cas.keys "x": must be a number|kv-cas.keys = x
		job.ini:1: pausee.x: "pausee" is no test and|pausee.x = 1
		job.ini:2: must be \[JOB\], NAME = VALUE|test = kv-cas\nblah
		job.ini:1: password: a secret|password = x
		job.ini:2: test: stands in line 1|test = none\ntest = none
		job.ini:2: inherit "a": more than 16|[a]\ninherit = a
		job.ini:2: inherit "b": there is no such|[a]\ninherit = b
		which of its jobs\? job.ini:a, job.ini:b|[a]\nseed=1\n[b]\nseed=2
		kill_all: puts 3 .*with --job job.ini|test=kv-cas\nmayhem=kill_all
	END
	printf 'out = %0200d\n' 1 >job.ini
	refuse 64 'job.ini:1: is longer than' run --job job.ini
	printf '[a]\nseed = 1\n' >job.ini
	refuse 64 'no job \[b\] in it' run --job job.ini:b
	refuse 64 '"none.ini": No such file' run --job none.ini
	printf 'jobs = 3\n' >job.ini
	refuse 64 'job.ini:1: unknown option --jobs' run --job job.ini
	for file in "$root"/scripts/jobs/*.ini; do
		grep -Eq '^#	natsburn .* --job '"${file##*/}" "$file" ||
			fail "$file does not say how to use it"
	done
}

# What is dumped is read again as it was; who goes before whom.
dumps()
{
	cat >job.ini <<-END
		clients = 3
		[base]
		test = pipeline
		mayhem = pause
		mayhem = partition
		limit = stall<10s
		pipeline.size = 100
		[mine]
		inherit = base
		mayhem = pause
		rate = 100/s
		duration = 7s
	END
	NATSBURN_DURATION=8s NATSBURN_RATE=200/s NATSBURN_JOB=job.ini:mine \
		natsburn run --rate 300/s -o pipeline.size=200 --limit 'heal<1m' \
		--dump-config
	expect_code 0
	grep -v '^#' "$work/out" >dumped
	sort dumped | diff - <(printf '%s\n' 'clients = 3' 'duration = 8s' \
		'limit = stall<10s,heal<1m' 'mayhem = pause' \
		'pipeline.size = 200' 'rate = 300/s' 'test = pipeline') >&2 ||
		fail "dumps something else"
	natsburn run --job dumped --dump-config
	grep -v '^#' "$work/out" | diff - dumped >&2 || fail "is read otherwise"
	natsburn hunt --jobs 2 --tests kv-cas --run-time 20s --dump-config
	grep -v '^#' "$work/out" >dumped
	natsburn hunt --job dumped --dump-config
	grep -v '^#' "$work/out" | diff - dumped >&2 || fail "a hunt is not"
	grep -qx 'jobs = 2' dumped || fail "a hunt's own options are lacking"
	natsburn matrix --job "$root/scripts/jobs/ci.ini" --dump-config
	expect_code 0
	grep -qx 'tests = .*,kv-cas' "$work/out" || fail "not all tests"
}

usage
jobs
dumps
paths
logins
cluster
descriptors
processes
expect_nothing_survives 5
