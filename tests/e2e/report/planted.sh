#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A run folder that somebody has prepared: links, FIFOs and a device where
# natsburn reads and writes. Nothing outside is written, removed or published,
# and nothing is waited for. What a run leaves is the user's alone, and
# "cluster down" ends the run of its folder and no other.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

command -v zstd >/dev/null || skip "no zstd"
cd "$work" || exit 1
lie run 0
lie other 0
printf 'precious' >victim
mkdir away
printf 'stolen-text\n' >away/stolen.conf

# intact WHEN
intact()
{
	[ "$(<victim)" = precious ] || fail "$1: a file outside was written"
	[ -s other/journal/000001.nbj.zst ] ||
		fail "$1: the journal of another run is gone"
	[ "$(<away/stolen.conf)" = stolen-text ] || fail "$1: away was written"
}

# soon CODE ARGUMENTS...
soon()
{
	code=0
	env NATSBURN_TEST_MARK="$mark" timeout -k 5 60 "$NATSBURN" "${@:2}" \
		>out 2>err || code=$?
	expect_code "$1"
	intact "$2"
}

others=$(find run -perm /077)
[ -z "$others" ] || fail "others can read $others"

for name in report.json report.html junit.xml bundle.tar.zst; do
	ln -s ../victim "run/$name.new"
done
ln -s ../other run/.bundle
mkdir -p run/servers/n1
ln -s ../../../away/stolen.conf run/servers/n1/server.conf
ln -s ../../away run/servers/n2
mkfifo run/servers/n1/server.log
ln -s /dev/zero run/servers/n1/varz.json
rm run/stderr.log
mkfifo run/stderr.log
soon 0 report run
soon 0 dump run
mkdir unpacked
zstd -qdc run/bundle.tar.zst | tar -x -C unpacked || fail "no bundle"
! grep -rqs stolen-text unpacked || fail "a file outside was published"
ln -sfn ../away run/servers/n1
rm -r run/servers
ln -s ../away run/servers
soon 0 dump run

# Another's journal, and journals that never end.
mkdir linked fifo
ln -s ../other/journal linked/journal
soon 64 report linked
mkdir fifo/journal
mkfifo fifo/journal/000001.nbj.zst
soon 64 check fifo

# Reports of a FIFO and a link; the journal says what they would.
rm run/report.json
mkfifo run/report.json
soon 0 report --merge run other --out merged
rm run/report.json
ln -s ../other/report.json run/report.json
soon 0 report --merge run other --out merged2

# A folder that a run is to be in.
mkdir here
for name in stderr.log servers.json.new report.json.new reserve; do
	ln -s ../victim "here/$name"
done
soon 0 run liar --cluster null --duration 1s --quiet-time 0 --out here
rm -r here
mkdir here
ln -s ../away here/servers
soon 64 run liar --cluster null --duration 1s --quiet-time 0 --out here
grep -q 'holds an earlier run already (servers)' err || fail "says $(<err)"

# The number of another run, in a folder of none.
start run liar --cluster null --mayhem none --duration 300s --out lives
await 60 "the run is up" test -s lives/servers.json
mkdir stale
cp lives/servers.json stale/servers.json
soon 64 cluster down stale
! is_gone "$pid" || fail "the run of another folder was ended"
soon 0 cluster down lives
finished 60
mkfifo stale/fifo
mv stale/fifo stale/servers.json
soon 64 cluster down stale

# What a server leaves; its store is its own, in a folder that is ours.
server=$(any_server) || exit
printf 'server_tags: ["modes"]\n' >user.conf
chmod 0600 user.conf
start cluster up --server-bin "$server" --servers 1 --replicas 1 \
	--server-conf user.conf --out servers
await 90 "the servers are up" test -s servers/servers.json
[ -s servers/servers/n1/server.conf ] || fail "no configuration"
others=$(find servers servers/servers servers/servers/n1 servers/journal \
	-maxdepth 1 \( -type d -o -name '*.conf' -o -name '*.json' -o \
	-name output.log -o -name reserve -o -name '*.zst' \) -perm /077 \
	! -name store)
[ -z "$others" ] || fail "others can read $others"
soon 0 cluster down servers
finished 120
expect_nothing_survives 10
