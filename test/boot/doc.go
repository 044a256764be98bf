// Package boot boots Debian with systemd and cgroup v2 in a virtual machine and tells there what only a boot can tell:
// the unit, its restart, a reboot, the systemd cgroup driver. It needs qemu-system-x86_64, mmdebstrap and mkfs.ext4 and
// takes minutes without hardware virtualisation, so it runs with BERTH_LONG=1 only.
package boot
