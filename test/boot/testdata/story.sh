# Runs in the machine, once a boot. Lines that begin with BOOT are read by the test.
export HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "BOOT $*"; }
end() { say "$1"; sync; systemctl --no-block "$2"; exit 0; }
field() { berth info --format '{{.CgroupDriver}}/{{.CgroupVersion}}'; }
pid() { berth inspect --format '{{.State.Pid}}' "$1"; }

if [ ! -e /root/second ]; then
	trap 'journalctl -u berth.service --no-pager | tail -n 40' EXIT
	set -e
	berth system install
	say driver "$(field)"
	say active "$(systemctl is-active berth.service)"
	berth import /root/busybox.tar bb
	berth run -d --network none --name keep --restart always bb sleep 1000000
	id=$(berth inspect --format '{{.Id}}' keep)
	before=$(pid keep)
	say cgroup "$(cat /proc/$before/cgroup | sed "s/$id/ID/")"
	say scope "$(systemctl is-active berth-$id.scope)"
	berth run --rm --network none --memory 64m bb cat /sys/fs/cgroup/memory.max | sed 's/^/BOOT memory /'
	berth run --rm --network none --cgroup-parent jobs.slice --cgroupns host bb cat /proc/self/cgroup | sed 's/berth-[0-9a-f]*/berth-ID/;s/^/BOOT parent /'
	say refused "$(berth create --cgroup-parent /jobs bb true 2>&1 | head -n 1)"
	systemctl restart berth.service
	say answers "$(berth ps --format '{{.Names}}')"
	[ "$(pid keep)" = "$before" ] && [ -d /proc/$before ] && say "kept its process"
	mkdir /root/said
	berth run -d --network none --name polite --restart unless-stopped --stop-signal USR1 -v /root/said:/said bb \
		sh -c 'trap "echo goodbye >/said/last; exit 3" USR1; while :; do sleep 1; done'
	touch /root/second
	trap - EXIT
	end "first boot is over" reboot
fi
# A container that is about to be started once more counts as running, here as in docker: its status tells the two apart.
for _ in $(seq 120); do
	[ "$(berth inspect --format '{{.State.Status}}' keep)" = running ] && break
	sleep 1
done
say "state" "$(berth inspect --format '{{.State.Status}} {{.State.Error}}' keep)"
say "after reboot" "$(berth ps --format '{{.Names}}')" "$(field)" "$(berth exec keep echo lives)"
say "said" "$(cat /root/said/last)" # by its own signal, which only the engine sends
say "polite" "$(berth inspect --format '{{.State.Status}}' polite)"
berth rm -f keep polite >/dev/null
berth system uninstall
say "left" "$(systemctl is-active berth.service)"
end "second boot is over" poweroff
