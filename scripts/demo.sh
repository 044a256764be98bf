#!/usr/bin/env bash
# make demo: builds berth, starts an engine with a state directory of its own, runs a container from an image that was
# packed here, fetches its page through a published port, and takes everything away again.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

if [ "$(id -u)" != 0 ]; then
	echo "demo: berth makes namespaces and networks and needs root here: sudo make demo" >&2
	exit 1
fi
scripts/install-packages.sh
make build

state=$(mktemp -d "${BERTH_DEMO_DIR:-/var/tmp}/berth-demo.XXXXXX")
export BERTH_ROOT="$state"
unset BERTH_HOST DOCKER_HOST DOCKER_CONTEXT || true
berth=$PWD/bin/berth
tables() { nft list tables 2>/dev/null | awk '$2 == "inet" {print $3}' | sort; }
before=$(tables)

cleanup() {
	code=$?
	say "cleaning up"
	"$berth" rm -f demo-web >/dev/null 2>&1 || true
	# The engine first, then the processes that outlive it.
	pids=$(cat "$state/engine.lock" 2>/dev/null || true)
	for dir in /proc/[0-9]*; do
		pid=${dir#/proc/}
		if { tr '\0' ' ' <"$dir/cmdline"; } 2>/dev/null | grep -q -- "$state" && [ "$pid" != $$ ]; then pids="$pids $pid"; fi
	done
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	sleep 1
	for pid in $pids; do kill -9 "$pid" 2>/dev/null || true; done
	# What was not there before is the demo's: its packet rules and the bridge of the same name.
	for t in $(comm -13 <(echo "$before") <(tables)); do
		case $t in berth*) ip link del "$t" 2>/dev/null || true; nft delete table inet "$t" 2>/dev/null || true ;; esac
	done
	awk -v s="$state" 'index($2, s) == 1 {print $2}' /proc/mounts | sort -r | while read -r m; do umount -l "$m" 2>/dev/null || true; done
	rm -rf "$state"
	[ $code = 0 ] && say "done" || echo "demo: failed (exit code $code)" >&2
	exit $code
}
trap cleanup EXIT

say "packing an image from our own static web server"
mkdir -p "$state/pack"
CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$state/pack/server" ./test/demo/web
go run -buildvcs=false ./test/demo/pack berth-demo:latest "$state/pack/server" >"$state/pack/image.tar"

say "berth load: starts the engine and takes the image in"
"$berth" load -i "$state/pack/image.tar"
"$berth" images

port=${BERTH_DEMO_PORT:-18080}
say "berth run -d -p $port:80 --name demo-web berth-demo"
"$berth" run -d -p "$port:80" --name demo-web berth-demo
"$berth" ps

say "GET http://127.0.0.1:$port/"
page=
for _ in 1 2 3 4 5 6 7 8 9 10; do
	if exec 3<>"/dev/tcp/127.0.0.1/$port"; then
		printf 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
		page=$(cat <&3 || true)
		exec 3>&- 3<&- || true
	fi
	case $page in *"Hello from a container"*) break ;; esac
	sleep 0.3
done
echo "$page"
case $page in *"Hello from a container"*) ;; *) echo "demo: the page did not come" >&2; exit 1 ;; esac

say "berth logs demo-web"
"$berth" logs demo-web
say "berth stop, berth rm"
"$berth" stop -t 2 demo-web
"$berth" rm demo-web
