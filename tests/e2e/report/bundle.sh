#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The bundle of a violation: made by itself and by natsburn dump, whole,
# judged again from what is in it, and without a secret. The secrets are
# planted where servers and people put them.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

for tool in tar zstd; do
	command -v "$tool" >/dev/null || skip "no $tool"
done

# in letters that are put together here only
seed=SU$(printf 'A%.0s' {1..56})
nkey=UD$(printf 'B%.0s' {1..54})
jwt=eyJ0eXAiOiJKV1QifQ.$(printf 'c%.0s' {1..40}).sig

unpack()
{
	rm -rf "$work/unpacked"
	mkdir "$work/unpacked"
	zstd -qdc "$1/bundle.tar.zst" | tar -x -C "$work/unpacked" ||
		fail "$1: the bundle can't be unpacked"
	inside=$work/unpacked/natsburn-$(basename "$1")
}

whole()
{
	local file

	for file in README.txt report.html report.json junit.xml journal.txt \
		journal/000001.nbj stderr.log; do
		[ -e "$inside/$file" ] || fail "no $file in the bundle"
	done
	jq -e .seed "$inside/report.json" >/dev/null || fail "report.json"
	cmp "$1/report.json" "$inside/report.json" ||
		fail "report.json is not the one of the run"
	diff <("$NATSBURN" check "$inside" --json | verdict_of /dev/stdin) \
		<(verdict_of "$1/report.json") ||
		fail "the bundle is judged otherwise"
}

plant()
{
	local dir=$1/servers/n1

	mkdir -p "$dir/store"
	cat >"$dir/server.conf" <<-END
		MY_VAR = "inavariable"
		accounts { A { users: [{user: u, password: "plainpassword"}] } }
		authorization { token: \$MY_VAR }
		cluster { routes: [nats-route://r:routepassword@127.0.0.1:1] }
		nkey: $nkey
		# old: password = commentedpassword
		jetstream { key: "keyofthestore" }
		jetstream: { # my.conf:1
			ek: "ekofthestore" # my.conf:2
			"prev_key": "formerkey" # my.conf:3
		}
	END
	printf 'password: "userconfpassword"\n' >"$dir/user.conf"
	cat >"$dir/server.log" <<-END
		[1] CONNECT {"pass":"tracedpassword","jwt":"$jwt","sig":"x$seed"}
		[1] plainpassword was said once more, and $seed
		[1] this line stays
	END
	printf '{"url": "nats://x:pagepassword@h"}' >"$dir/varz.json"
	printf 'storedpassword' >"$dir/store/1.blk"
	printf 'keypassword' >"$dir/server.key"
}

lie fail 1 -o liar.plant=redelivered_after_ack
[ -s "$work/fail/bundle.tar.zst" ] || fail "no bundle by itself"
unpack "$work/fail"
whole "$work/fail"
grep -q redelivered_after_ack "$inside/README.txt" ||
	fail "the text does not say what was found"
grep -Fq "$(jq -r .command "$work/fail/report.json")" "$inside/README.txt" ||
	fail "the text does not say how to repeat it"
grep -q 'DELIVER .*delivered=2' "$inside/journal.txt" ||
	fail "the deciding event is not in journal.txt"

lie pass 0
[ ! -e "$work/pass/bundle.tar.zst" ] || fail "a bundle of a pass by itself"
plant "$work/pass"
NATSBURN_PASSWORD=environmentpassword
export NATSBURN_PASSWORD
echo environmentpassword >>"$work/pass/servers/n1/server.log"
natsburn dump "$work/pass"
expect_code 0
[ "$(<"$work/out")" = "$work/pass/bundle.tar.zst" ] ||
	fail "dump says \"$(<"$work/out")\""
unset NATSBURN_PASSWORD
unpack "$work/pass"
whole "$work/pass"
grep -rqs 'this line stays' "$inside/servers/n1/server.log" ||
	fail "the log is not in the bundle"
for secret in plainpassword inavariable routepassword commentedpassword \
	keyofthestore ekofthestore formerkey userconfpassword tracedpassword pagepassword \
	storedpassword keypassword environmentpassword "$seed" "$nkey" \
	"$jwt"; do
	! grep -rq -- "$secret" "$inside" || fail "$secret is in the bundle"
	grep -rqs -- "$secret" "$work/pass/servers" ||
		[ "$secret" = environmentpassword ] ||
		fail "$secret was not planted: the test tests nothing"
done

# A password in a URL, which the history holds.
unreachable cluster 69
natsburn dump "$work/cluster"
expect_code 0
unpack "$work/cluster"
! grep -rqa s3cr3tpw "$inside" || fail "the URL's password is in the bundle"

# One that was killed, and one that is none.
rm "$work/fail"/{report.json,report.html,junit.xml,bundle.tar.zst}
truncate -c -s -7 "$work/fail/journal/000001.nbj.zst"
natsburn dump "$work/fail"
expect_code 0
[ -s "$work/fail/bundle.tar.zst" ] || fail "no bundle of a killed run"
natsburn dump "$work/nothing"
expect_code 64
[ -z "$(find "$work" -name '.bundle*')" ] || fail "something was left behind"
expect_nothing_survives 10
