#!/usr/bin/env bash
# scripts/peers.sh DIR: makes the trees that `make bench` compares with, from Debian's packages, without touching the
# machine's own: DIR/stable (the release's docker.io, podman, crun, runc) and DIR/sid (a current docker.io with buildx and Compose). What is there
# already is kept. Needs root and about a minute a tree.
set -euo pipefail
[ $# = 1 ] || { echo "usage: scripts/peers.sh DIR" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "peers: needs root" >&2; exit 1; }
mkdir -p "$1"
dir=$(readlink -f "$1")
command -v mmdebstrap >/dev/null || apt-get install -q -y --no-install-recommends mmdebstrap
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")

tree() { # name suite packages
	[ "$(cat "$dir/$1.ok" 2>/dev/null)" != "$3" ] || return 0
	echo "peers: making $1 ($2)"
	rm -rf "${dir:?}/$1"
	mmdebstrap --aptopt='Acquire::Check-Valid-Until "false"' --variant=apt --mode=root --include="$3" "$2" "$dir/$1" >"$dir/$1.log" 2>&1 ||
		{ echo "peers: $1 could not be made, see $dir/$1.log" >&2; return 1; }
	echo "$3" >"$dir/$1.ok"
}
common=iptables,nftables,iproute2,ca-certificates,procps,kmod,mount,util-linux
tree stable "$release" "docker.io,podman,crun,runc,netavark,aardvark-dns,$common"
tree sid sid "docker.io,docker-cli,docker-buildx,docker-compose,containerd,runc,$common"
