#!/bin/bash
# SPDX-License-Identifier: ISC
#
# scripts/k8s/Dockerfile is built by docker.sh, where that can run. What is
# known of it everywhere: its packages are those of Debian's that this
# binary is linked with and was built with, and its commands are a shell's.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

file=$root/scripts/k8s/Dockerfile
for tool in dpkg-query objdump pkg-config; do
	command -v "$tool" >/dev/null || skip "no $tool"
done

# package FILE: Debian's package that a file is of
package()
{
	dpkg-query -S "$(readlink -f "$1")" 2>/dev/null ||
		dpkg-query -S "$1" 2>/dev/null
}

# stages: the two halves of the file
sed -n '/^FROM .* AS build/,/^FROM [^ ]*$/p' "$file" >"$work/build"
sed -n '/^FROM [^ ]*$/,$p' "$file" >"$work/final"

names=0
for library in $(objdump -p "$NATSBURN" | awk '$1 == "NEEDED" { print $2 }'); do
	path=$(ldd "$NATSBURN" | awk -v l="$library" '$1 == l { print $3 }')
	name=$(package "$path" | head -n 1 | sed 's/:.*//')
	case $name in
	'' | libc6 | libgcc-s1 | libasan* | libubsan* | libtsan*) continue ;;
	esac
	names=$((names + 1))
	grep -Eq "(^|[[:space:]])$name([[:space:]]|\$)" "$work/final" ||
		fail "the image lacks $name ($library)"
done
[ "$names" -ge 5 ] || skip "the libraries are not Debian's"

while read -r module; do
	path=$(pkg-config --variable=pcfiledir "$module")/$module.pc
	name=$(package "$path" | head -n 1 | sed 's/:.*//')
	grep -Eq "(^|[[:space:]])$name([[:space:]]|\$)" "$work/build" ||
		fail "the build lacks $name ($module)"
done < <(sed -n 's/^pkg_check_modules(.* REQUIRED .* \(.*\))/\1/p' \
	"$root/CMakeLists.txt")

if command -v shellcheck >/dev/null; then
	sed -n '/^RUN /,/[^\\]$/p' "$file" | sed 's/^RUN //' |
		shellcheck -s sh - || fail "its commands"
fi
