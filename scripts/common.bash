# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: ISC
#
# What the scripts share: saying things, finding packages, building quietly.
# Sourced, never run. Whoever sources it has set "me" to its own name.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian keeps daemons where an ordinary user's PATH does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() {
	printf '%s: %s\n' "${me:?}" "$*" >&2
}

die() {
	local code=$1
	shift
	say "$*"
	exit "$code"
}

has_command() {
	command -v "$1" >/dev/null 2>&1
}

has_package() {
	local status
	status=$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null) ||
		return 1
	grep -qx installed <<<"$status"
}

# Wanted things, one a word: COMMAND=PACKAGE (a command from anywhere will do)
# or PACKAGE[|PACKAGE]... (any of them; the first that exists is installed).
build_needs=(
	cc=build-essential
	cmake=cmake
	ninja=ninja-build
	pkg-config=pkg-config
	nats-server=nats-server
	libc6-dev
	libnats-dev
	'libmsgpack-dev|libmsgpack-c-dev'
	libcjson-dev
	'libcurl4-openssl-dev|libcurl4-gnutls-dev'
	libssl-dev
	libroaring-dev
	libxxhash-dev
	libarchive-dev
	libzstd-dev
	libfuse3-dev
	libinih-dev
	libmicrohttpd-dev
)

test_needs=(
	clang=clang
	clang-format=clang-format
	clang-tidy=clang-tidy
	jq=jq
	mandoc=mandoc
	python3=python3
	shellcheck=shellcheck
	file=file
	git=git
	lintian=lintian
	ps=procps
	strace=strace
	xmllint=libxml2-utils
	zstd=zstd
	zsh=zsh
	openssl=openssl
	chromium=chromium
	promtool=prometheus
	python3-jsonschema
	nftables
	iproute2
	libcmocka-dev
)

need_is_met() {
	local need=$1 package
	local -a packages
	case $need in
	*=*)
		has_command "${need%%=*}"
		return
		;;
	esac
	IFS='|' read -r -a packages <<<"$need"
	for package in "${packages[@]}"; do
		if has_package "$package"; then
			return 0
		fi
	done
	return 1
}

# The package to install for a need: the first that the sources know.
package_for() {
	local need=${1#*=} package
	local -a packages
	IFS='|' read -r -a packages <<<"$need"
	for package in "${packages[@]}"; do
		if [ -n "$(apt-cache madison "$package" 2>/dev/null)" ]; then
			printf '%s\n' "$package"
			return
		fi
	done
	printf '%s\n' "${packages[0]}"
}

# Debian's nats-server and prometheus start a system service at once and at
# every boot; natsburn only wants the programs. A mask keeps each from starting
# during the installation, and it is left disabled. Somebody's own service,
# installed before, is not touched: then there is nothing to install. Without
# systemd nothing starts it.
install_packages() {
	local mask service status=0
	local -a masked=()
	for service in nats-server prometheus; do
		mask=/etc/systemd/system/$service.service
		if [ -d /run/systemd/system ] && [[ " $* " == *" $service "* ]] &&
			[ ! -e "$mask" ] &&
			"${as_root[@]}" ln -s /dev/null "$mask"; then
			masked+=("$service")
		fi
	done
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "$@" >>"$log" 2>&1 </dev/null ||
		status=$?
	for service in "${masked[@]}"; do
		"${as_root[@]}" rm -f "/etc/systemd/system/$service.service"
		# A masked unit is not enabled either; this is for Debians
		# that see it otherwise, and tells systemd about the change.
		"${as_root[@]}" systemctl disable "$service.service" \
			>>"$log" 2>&1 || true
	done
	return "$status"
}

# install_needs LOG NEED...: nothing at all when all are met.
install_needs() {
	local log=$1 need
	local -a missing=() packages=() as_root=()
	shift
	for need in "$@"; do
		need_is_met "$need" || missing+=("$need")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		return 0
	fi
	if ! has_command apt-get; then
		die 69 "missing: ${missing[*]#*=} (this is not a Debian:" \
			"install what your distribution calls them)"
	fi
	if [ "$(id -u)" -ne 0 ]; then
		if ! has_command sudo; then
			for need in "${missing[@]}"; do
				packages+=("$(package_for "$need")")
			done
			die 69 "not root and no sudo; let somebody run:" \
				"apt-get install ${packages[*]}"
		fi
		as_root=(sudo)
	fi
	: >"$log"
	say "reading package lists"
	"${as_root[@]}" apt-get update >>"$log" 2>&1 </dev/null ||
		say "apt-get update had errors (see $log); trying what is known"
	for need in "${missing[@]}"; do
		packages+=("$(package_for "$need")")
	done
	say "installing ${packages[*]}"
	if ! install_packages "${packages[@]}"; then
		tail -n 20 "$log" >&2
		die 69 "cannot install ${packages[*]}: see $log"
	fi
	for need in "${missing[@]}"; do
		need_is_met "$need" ||
			die 69 "still missing after the installation: ${need#*=}"
	done
}

# libraries PROGRAM: the files that it is linked with, and the loader.
libraries() {
	ldd "$1" | sed -n 's/^.*=> \(\/[^ ]*\).*$/\1/p;
		s/^[[:space:]]*\(\/[^ ]*\) (.*$/\1/p' | sort -u
}

# Addresses that this machine gets Debian's main packages from.
mirrors() {
	local codename
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	# The fields are apt's, not the shell's.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v codename="$codename" '$2 == "main" &&
		    ($1 == codename || $1 ~ /^(stable|testing|unstable|sid)$/) {
			if (!seen[$3]++)
				print $3
		    }' | awk '
		    # A mirror of Debian itself before those of others.
		    /\/debian\/?$/ { print; next }
		    { others[n++] = $0 }
		    END { for (i = 0; i < n; i++) print others[i] }'
}

# quietly LOG COMMAND...: output goes to LOG, and to stderr on failure.
quietly() {
	local log=$1 status=0
	shift
	"$@" >"$log" 2>&1 </dev/null || status=$?
	if [ "$status" -ne 0 ]; then
		cat "$log" >&2
		say "failed: $* (exit code $status; log: $log)"
	fi
	return "$status"
}
