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
	touch /root/second
	trap - EXIT
	end "first boot is over" reboot
fi
for _ in $(seq 60); do
	[ "$(berth inspect --format '{{.State.Running}}' keep)" = true ] && break
	sleep 1
done
say "after reboot" "$(berth ps --format '{{.Names}}')" "$(field)" "$(berth exec keep echo lives)"
berth rm -f keep >/dev/null
berth system uninstall
say "left" "$(systemctl is-active berth.service)"
end "second boot is over" poweroff
