#!/bin/bash
# SPDX-License-Identifier: ISC
#
# cmake --install and the Debian package: everything is where it is looked
# for, the package depends on the libraries that the program is linked with,
# and what was unpacked somewhere works from there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

build=$(cd "$(dirname "$NATSBURN")" && pwd)
for file in cmake_install.cmake CPackConfig.cmake completion.bash; do
	[ -e "$build/$file" ] || skip "$build is not a build tree (no $file)"
done
command -v cmake >/dev/null || skip "cmake is not installed"

# has TREE FILE...: not empty, and all may read it
has()
{
	local tree=$1 file

	shift
	for file in "$@"; do
		[ -s "$tree/$file" ] || fail "$tree has no $file"
		[ -n "$(find "$tree/$file" -perm -444)" ] ||
			fail "$tree/$file can't be read by all"
	done
}

# works TREE: the program in it, with nothing of this build around it
works()
{
	local dir=$work/elsewhere code=0

	rm -rf "$dir"
	mkdir "$dir"
	(
		cd "$dir" || exit 70
		run="env -i NATSBURN_TEST_MARK=$mark PATH=/usr/bin:/bin"
		[ "$($run "$1" --version)" = "$("$NATSBURN" --version)" ] &&
			$run "$1" list --json | jq -e '.tests | length > 3' &&
			$run "$1" run liar --cluster null --quiet-time 0 \
				--rounds 200 --out honest &&
			$run "$1" check honest || exit 70
		$run "$1" run liar --cluster null --quiet-time 0 --rounds 200 \
			--out lost -o liar.legal=memory_loss
	) >"$work/out" 2>"$work/err" || code=$?
	# The last is a loss that it has to convict.
	[ "$code" -eq 1 ] || fail "$1 does not work: code $code"
	grep -q '<svg' "$dir/honest/report.html" ||
		fail "no report page of $1"
}

# -- cmake --install, below a prefix of our own

DESTDIR=$work/dest cmake --install "$build" --prefix /opt/nb \
	>"$work/out" 2>"$work/err" || fail "cmake --install"
has "$work/dest/opt/nb" bin/natsburn share/man/man1/natsburn.1 \
	share/bash-completion/completions/natsburn \
	share/zsh/site-functions/_natsburn \
	share/fish/vendor_completions.d/natsburn.fish \
	share/natsburn/grafana-dashboard.json \
	share/natsburn/report.schema.json share/natsburn/matrix.schema.json \
	share/natsburn/hunt.schema.json share/natsburn/jobs/ci.ini \
	share/doc/natsburn/{README.md,LICENSE,CHANGES.md} \
	share/doc/natsburn/docs/verdicts.md \
	share/doc/natsburn/examples/natsburn.service
# Nothing outside of the prefix.
[ "$(find "$work/dest" -type f | grep -vc "^$work/dest/opt/nb/")" -eq 0 ] ||
	fail "files outside of the prefix"
works "$work/dest/opt/nb/bin/natsburn"
# Completion is this program's own.
"$NATSBURN" --completion zsh |
	cmp -s - "$work/dest/opt/nb/share/zsh/site-functions/_natsburn" ||
	fail "the completion for zsh is stale"

# -- the Debian package

for tool in cpack dpkg-deb dpkg-shlibdeps file readelf; do
	command -v "$tool" >/dev/null ||
		skip "no $tool (cmake --install was tested)"
done
mkdir "$work/pack"
cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/pack" \
	>"$work/out" 2>"$work/err" || fail "cpack: $(tail -n 3 "$work/err")"
deb=$(find "$work/pack" -maxdepth 1 -name '*.deb')
[ -f "$deb" ] || fail "cpack made no package"
dpkg-deb -x "$deb" "$work/tree" || fail "can't unpack $deb"
usr=$work/tree/usr
doc=$usr/share/doc/natsburn
has "$usr" bin/natsburn share/man/man1/natsburn.1.gz \
	share/bash-completion/completions/natsburn \
	share/zsh/vendor-completions/_natsburn \
	share/natsburn/grafana-dashboard.json share/natsburn/report.schema.json
has "$doc" copyright changelog.gz NEWS.md README.md docs/verdicts.md \
	docs/report.md examples/natsburn.service
[ -z "$(find "$work/tree" -type f -not -path "$usr/*")" ] ||
	fail "files outside of /usr: $(find "$work/tree" -type f)"
dpkg-deb -c "$deb" | grep -v ' root/root ' | grep . &&
	fail "files that are not root's"
zcat "$usr/share/man/man1/natsburn.1.gz" |
	cmp -s - "$root/docs/natsburn.1" || fail "another manual"
# Word for word the licence, but for Debian's indentation and dots.
words()
{
	sed 's/^ \.$//' "$1" | tr -s ' \n' '  '
}
licence=$(words <(sed 1d "$root/LICENSE"))
case $(words "$doc/copyright") in
*"${licence% }"*) ;;
*) fail "the copyright file is not LICENSE" ;;
esac

# field NAME
field()
{
	dpkg-deb -f "$deb" "$1"
}

"$NATSBURN" --version | grep -qwF -- "$(field Version)" ||
	fail "version $(field Version) is not $("$NATSBURN" --version)"
case ", $(field Recommends)," in
*", nats-server,"*) ;;
*) fail "does not recommend nats-server" ;;
esac

# Every library that the program names has its package among the
# dependencies, found by another way than dpkg-shlibdeps; and those that we
# know of are there.
depends=$(field Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//; s/:.*//')
readelf -d "$usr/bin/natsburn" |
	sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' >"$work/needed"
for library in nats curl msgpack cjson zstd microhttpd archive roaring xxhash; do
	grep -q "^lib$library" "$work/needed" ||
		fail "is not linked with lib$library"
	grep -q "^lib$library" <<<"$depends" ||
		fail "does not depend on lib$library: $(field Depends)"
done
while IFS= read -r library; do
	path=$(ldd "$usr/bin/natsburn" |
		awk -v name="$library" '$1 == name { print $3 }')
	# Debian's merged /usr: the package may know it by the other name.
	path=$(readlink -f "$path")
	owner=$(dpkg-query -S "$path" 2>/dev/null ||
		dpkg-query -S "${path#/usr}" 2>/dev/null) || continue
	grep -qx -- "${owner%%:*}" <<<"$depends" ||
		fail "needs $library of ${owner%%:*}: depends on $(field Depends)"
done <"$work/needed"
readelf -d "$usr/bin/natsburn" | grep -E 'RPATH|RUNPATH' &&
	fail "looks for libraries in somebody's folder"
works "$usr/bin/natsburn"

# What Debian's own examiner calls an error; the placeholder of the
# maintainer's address is known.
if command -v lintian >/dev/null; then
	lintian --fail-on none --suppress-tags \
		bogus-mail-host,bogus-mail-host-in-debian-changelog \
		"$deb" >"$work/out" 2>"$work/err"
	grep '^[EW]: ' "$work/out" && fail "lintian has objections"
fi
expect_nothing_survives 5
