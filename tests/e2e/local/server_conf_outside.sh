#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Whatever a user's configuration says, nothing outside of the run folder is
# written, no port but on loopback is listened at, and no other server is
# connected to. Files that it names stay away; with strace every process of
# the run is watched.
# shellcheck source=tests/e2e/local/server_conf_lib.sh
. "$(dirname "$0")/server_conf_lib.sh" "[0-9]*"

names_nothing_else=(cluster.tls jetstream.store_dir log_file log_size_limit
	logtime pid_file ports_file_dir prof_port remote_syslog store_dir
	syslog)

takes outside
overrules "${names_nothing_else[@]}"
has 'max_file: 10000000000 # '
has 'max_payload: 2097152 # '
lacks OUTSIDE

command -v strace >/dev/null || skip "no strace: only what was named is looked at"
strace -qq -o "$work/try" true 2>/dev/null || skip "strace may not trace"

# Calls that write, by what stands before them: a pid, when there are many.
# A path below a folder that is open stands behind its name in <>.
calls=creat,open,openat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink
calls+=,symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,truncate
calls+=,bind,connect

# trace CONF [OPTION...]: a run of which each process is watched.
trace()
{
	local own=$NATSBURN

	conf=$1
	shift
	rm -rf "$work/run"
	code=0
	env NATSBURN_TEST_MARK="$mark" strace -f -y -qq -o "$work/trace" \
		-e "trace=$calls" "$own" "${job[@]}" --server-conf "$conf" \
		"$@" >"$work/out" 2>"$work/err" || code=$?
	expect_code 0
	[ "$(wc -l <"$work/trace")" -gt 500 ] || fail "nothing was traced"
	[ -z "$(ls -A .)" ] || fail "$conf: $(ls -A .) was written here"
}

# What is written where it must not be: one line each.
outside()
{
	awk -v run="$work/run" '
	/resumed>/ || /= -1 E/ { next }
	/^[0-9]+ +(bind|connect)\(/ {
		if ($0 ~ /AF_INET/ && $0 !~ /"127\.0\.0\.1"|"::1"/)
			print
		next
	}
	/^[0-9]+ +open(at)?\(/ && !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/ { next }
	{
		folder = file = $0
		if (!match(file, /"[^"]*"/))
			next
		file = substr(file, RSTART + 1, RLENGTH - 2)
		if (file !~ /^\// && match(folder, /<\/[^>]*>/))
			file = substr(folder, RSTART + 1, RLENGTH - 2) "/" file
		if (index(file "/", run "/") != 1 && file !~ /^\/(dev|proc)\//)
			print
	}' "$work/trace"
}

# The watch sees what it is there for.
cat >"$work/trace" <<END
1 openat(AT_FDCWD</x>, "$work/run/a", O_WRONLY|O_CREAT, 0600) = 3</x>
1 openat(AT_FDCWD</x>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>
1 openat(AT_FDCWD</x>, "/tmp/a", O_RDWR|O_CREAT, 0600 <unfinished ...>
1 openat(AT_FDCWD</x>, "/tmp/b", O_RDWR) = -1 ENOENT (No such file)
1 mkdirat(5<$work/run/x>, "y", 0700) = 0
1 mkdirat(5</tmp>, "y", 0700) = 0
1 unlink("z") = 0
1 bind(4<socket:[1]>, {sa_family=AF_INET, sin_addr=inet_addr("0.0.0.0")}) = 0
1 bind(4<socket:[1]>, {sa_family=AF_INET, sin_addr=inet_addr("127.0.0.1")}) = 0
END
[ "$(outside | wc -l)" -eq 4 ] || fail "the watch sees $(outside)"

for one in outside listeners; do
	trace "$confs/$one.conf" --mayhem rolling_restart --fault-interval 1s \
		--duration 3s --rounds 0
	found=$(outside)
	[ -z "$found" ] || fail "$one: $found"
done
expect_nothing_survives 10
