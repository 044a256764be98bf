#!/bin/sh
# dpkg says "configure OLDVERSION", rpm how many versions there are. An upgrade restarts an engine that systemd runs, under
# which containers go on; a first installation starts nothing.
set -e
[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case "$1" in
configure) [ -z "$2" ] || systemctl try-restart berth.service ;;
[2-9]*) systemctl try-restart berth.service ;;
esac
