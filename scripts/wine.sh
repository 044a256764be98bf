#!/usr/bin/env bash
# scripts/wine.sh [PROGRAM.exe [ARGUMENT...]]: runs a Windows program under Wine 10, in a tree of Debian 13 of its own that
# is made once (as root; about three minutes and 1.4 GB) and kept in WINE_TREE. Made for `go test -exec scripts/wine.sh`.
#
# The program sees the directory it is started from, /tmp and the tree's own files; its processes end with it. WINEDEBUG
# and variables that begin with BERTH_ or TEST_ are passed on; files that WINE_DLLS names are in C:\windows\system32, directories
# that WINE_BIND names are seen too. One program runs at a time: they share a registry.
set -euo pipefail
suite=trixie
packages=wine64,wine,ca-certificates
tree=${WINE_TREE:-/var/cache/berth/wine-$suite}
[ "$(id -u)" = 0 ] || { echo "wine: needs root" >&2; exit 1; }

make_tree() {
	command -v debootstrap >/dev/null || { echo "wine: needs debootstrap: apt-get install debootstrap" >&2; exit 1; }
	echo "wine: making $tree (once)" >&2
	rm -rf "${tree:?}"
	mkdir -p "$tree"
	local script=$suite
	[ -e /usr/share/debootstrap/scripts/$suite ] || script=sid # an older debootstrap does not know the name
	debootstrap --variant=minbase --include=$packages $suite "$tree" "${WINE_MIRROR:-$(mirror)}" \
		"/usr/share/debootstrap/scripts/$script" >"$tree.log" 2>&1 ||
		{ tail -n 20 "$tree.log" >&2; echo "wine: the tree could not be made, see $tree.log" >&2; exit 1; }
	enter env WINEDEBUG=-all wineboot -i >>"$tree.log" 2>&1 || { echo "wine: wineboot failed, see $tree.log" >&2; exit 1; }
	echo $packages >"$tree/.made"
}

# mirror is where this machine itself gets Debian's packages.
mirror() {
	{ grep -hoE '^deb (\[[^]]*\] )?https?://[^ ]+/debian/? ' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		grep -oE 'https?://[^ ]+' ||
		awk '$1 == "URIs:" && $2 ~ /\/debian\/?$/ { print $2 }' /etc/apt/sources.list.d/*.sources; } 2>/dev/null | head -n 1
}

# enter runs a command in the tree, in namespaces of mounts and processes that end with it.
enter() {
	local here
	here=$(pwd -P)
	# shellcheck disable=SC2016
	unshare --mount --propagation private --pid --fork --kill-child sh -euc '
		tree=$1 here=$2; shift 2
		mount -t proc proc "$tree/proc"
		mount --rbind /dev "$tree/dev"
		mount --rbind /tmp "$tree/tmp"
		for dir in "$here" ${WINE_BIND:-}; do
			case $dir in /tmp/*) ;; *) mkdir -p "$tree$dir"; mount --rbind "$dir" "$tree$dir" ;; esac
		done
		mkdir -p "$tree/run/wine"
		mount -t tmpfs tmpfs "$tree/run/wine"
		exec chroot "$tree" /usr/bin/env -C "$here" -i PATH=/usr/lib/wine:/usr/bin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
			WINEDEBUG="${WINEDEBUG:--all}" "$@"
	' sh "$tree" "$here" "$@"
}

mkdir -p "$(dirname "$tree")"
exec 9>"$tree.lock"
flock 9
[ "$(cat "$tree/.made" 2>/dev/null)" = $packages ] || make_tree
[ $# -gt 0 ] || exit 0
for dll in ${WINE_DLLS:-}; do cp -f "$dll" "$tree/root/.wine/drive_c/windows/system32/"; done
mapfile -t pass < <(env | grep -E '^(BERTH|TEST)_[A-Za-z0-9_]*=' || true)
enter "${pass[@]}" wine "$@"
