#!/usr/bin/env bash
# Installs the system packages that building and testing need, and those named as arguments, where they are missing.
# Debian and Ubuntu.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

packages="gcc libc6-dev make pkg-config libseccomp-dev qemu-system-x86 erofs-utils e2fsprogs nftables iproute2 busybox-static util-linux procps kmod git ca-certificates python3-docker $*"

missing() {
	for p in $packages; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
	done
}

command -v apt-get >/dev/null || { echo "packages: no apt-get here; needed are: $packages"; exit 0; }
want=$(missing | tr '\n' ' ')
[ -n "$want" ] || exit 0
echo "packages: installing $want"
for try in 1 2 3 4; do
	# A mirror that is half there must not stop a step whose packages are in the lists already.
	apt-get -o Acquire::Retries=3 update -q || echo "packages: apt-get update failed (try $try)"
	# shellcheck disable=SC2086
	if apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends $want; then
		exit 0
	fi
	echo "packages: installing failed (try $try of 4)"
	sleep $((try * 5))
done
exit 1
