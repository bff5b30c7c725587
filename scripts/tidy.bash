# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# Run clang-tidy over the whole project, for scripts/lint and scripts/tidy.
# Sourced after common.bash.

# tidy [CHECKS]: one line a finding on stdout; all of .clang-tidy by default.
# The compile commands come from a build tree of its own, configured anew each
# time (a second) so that it knows every file; nothing is built in it. The
# lock keeps a second one from writing them anew while they are read.
tidy() (
	checks=${1:-}
	dir=${NATSBURN_TIDY_DIR:-${root:?}/build-tidy}
	log=$dir/tidy.log
	status=0
	options=(-quiet -p "$dir" -j "$(nproc)")
	if [ "$checks" ]; then
		options+=("-checks=-*,$checks")
	fi
	mkdir -p "$dir"
	exec 9>"$dir/.lock"
	flock 9
	quietly "$dir/configure.log" cmake -S "$root" -B "$dir" -G Ninja \
		-DCMAKE_BUILD_TYPE=Debug || return 1
	run-clang-tidy "${options[@]}" \
		"^$root/(proto|orchestrator|worker|chaos|tests)/" \
		>"$log" 2>&1 </dev/null || status=$?
	# Colours can't be switched off in version 14.
	sed -i 's/\x1b\[[0-9;]*m//g' "$log"
	sed -nE "s#^$root/([^:]*:[0-9]+):[0-9]+: (warning|error): (.*)#\1: \3#p" \
		"$log" | sort -u | sort -s -t: -k1,1 -k2,2n
	if [ "$status" -ne 0 ] && ! grep -qE '(warning|error):' "$log"; then
		cat "$log" >&2
		return 1
	fi
)
