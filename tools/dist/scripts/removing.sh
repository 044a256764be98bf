#!/bin/sh
# dpkg says "remove", rpm that no version will be left. An upgrade stops nothing here.
set -e
[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0
case "$1" in
remove | 0) systemctl disable --now berth.service ;;
esac
