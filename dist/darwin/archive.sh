#!/usr/bin/env bash
# Makes berth's archive for macOS out of programs that were built for it (build) and the image of the virtual machine, which
# only Linux can build. The host agent is signed ad hoc with the entitlement without which macOS gives it no virtual machine.
# usage: archive.sh ARCH PROGRAMS IMAGE OUT.tar.gz
set -euo pipefail
[ $# -eq 4 ] || { echo "usage: $0 ARCH PROGRAMS IMAGE OUT.tar.gz" >&2; exit 2; }
arch=$1 programs=$2 image=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)
command -v codesign >/dev/null || { echo "dist-darwin: there is no codesign here: run it on a Mac" >&2; exit 1; }
[ -s "$image/manifest.json" ] || {
	echo "dist-darwin: $image has no image of the virtual machine" >&2
	echo "on Linux: make vmimage VMARCHES=$arch; then copy bin/vm/$arch to this place" >&2
	exit 1
}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
dir=$stage/berth-darwin-$arch
mkdir -p "$dir/vm"
cp "$programs/berth" "$programs/berth-hostagent" "$here/../../LICENSE" "$dir/"
cp -R "$image" "$dir/vm/$arch"
codesign --force --sign - "$dir/berth"
codesign --force --sign - --entitlements "$here/entitlements.plist" "$dir/berth-hostagent"
codesign --verify --strict "$dir/berth" "$dir/berth-hostagent"
tar -czf "$out" -C "$stage" "berth-darwin-$arch"
echo "$out"
