package boot

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bootTimeout bounds both boots together; without hardware virtualisation each takes minutes.
const bootTimeout = 25 * time.Minute

// TestSystemd installs the unit in a machine, restarts it beneath a container and boots the machine again.
// BERTH_BOOT_ROOTFS may name a tar of Debian that was made before, BERTH_BOOT_BIN a directory of built programs.
func TestSystemd(t *testing.T) {
	if os.Getenv("BERTH_LONG") == "" {
		t.Skip("boots a virtual machine: BERTH_LONG=1")
	}
	for _, p := range []string{"qemu-system-x86_64", "mmdebstrap", "mkfs.ext4"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not here", p)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("making the machine's disk wants root")
	}
	dir, err := os.MkdirTemp("/var/tmp", "berth-boot-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	root := debian(t, dir)
	furnish(t, root)
	disk := filepath.Join(dir, "disk.ext4")
	run(t, "", "mkfs.ext4", "-q", "-d", root, disk, "3G")
	told := boot(t, root, disk)
	for _, want := range []string{
		"driver systemd/2", "active active", "cgroup 0::/system.slice/berth-ID.scope", "scope active", "memory 67108864",
		"parent 0::/jobs.slice/berth-ID.scope", "answers keep", "kept its process", "first boot is over",
		"after reboot keep systemd/2 lives", "said goodbye", "polite running", "left inactive", "second boot is over",
	} {
		if !strings.Contains(told, "BOOT "+want+"\n") {
			t.Errorf("not told: %s", want)
		}
	}
	if !strings.Contains(told, `cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"`) {
		t.Error("a parent that is no slice is not refused")
	}
}

// debian unpacks a system with systemd and a kernel.
func debian(t *testing.T, dir string) string {
	t.Helper()
	tar, root := os.Getenv("BERTH_BOOT_ROOTFS"), filepath.Join(dir, "root")
	if tar == "" {
		tar = filepath.Join(dir, "rootfs.tar")
		run(t, "", "mmdebstrap", "--quiet", "--variant=minbase",
			"--include=systemd,systemd-sysv,dbus,udev,kmod,iproute2,busybox-static,linux-image-cloud-amd64,nftables", "bookworm", tar)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "", "tar", "-C", root, "-xf", tar)
	return root
}

// furnish puts berth, an image and the story into the system.
func furnish(t *testing.T, root string) {
	t.Helper()
	bin := filepath.Join(root, "usr/local/bin")
	if from := os.Getenv("BERTH_BOOT_BIN"); from != "" {
		run(t, "", "cp", "-r", from+"/.", bin)
	} else {
		build(t, bin)
	}
	img := t.TempDir()
	run(t, img, "sh", "-c", `mkdir bin && cp "$0" bin/ && for c in sh cat sleep echo true; do ln -s busybox bin/$c; done`, filepath.Join(root, "usr/bin/busybox"))
	run(t, img, "tar", "-cf", filepath.Join(root, "root/busybox.tar"), "bin")
	for from, to := range map[string]string{"story.sh": "root/story.sh", "story.service": "etc/systemd/system/story.service"} {
		run(t, "", "cp", filepath.Join("testdata", from), filepath.Join(root, to))
	}
	run(t, root, "sh", "-c", `echo "/dev/vda / ext4 defaults 0 1" > etc/fstab; echo uninitialized > etc/machine-id
		mkdir -p etc/systemd/system/multi-user.target.wants
		ln -s /etc/systemd/system/story.service etc/systemd/system/multi-user.target.wants/
		ln -s /dev/null etc/systemd/system/serial-getty@ttyS0.service
		ln -s /dev/null etc/systemd/system/systemd-networkd-wait-online.service`) // there is no network to wait for
}

func build(t *testing.T, bin string) {
	t.Helper()
	for _, p := range []string{"berth", "berth-engine", "berth-netd", "berth-init", "berth-supervisor"} {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "github.com/berthhq/berth/cmd/"+p)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if p == "berth-supervisor" {
			cmd.Args = append(cmd.Args[:2:2], append([]string{"-tags", "netgo osusergo seccomp", "-ldflags", "-extldflags -static"}, cmd.Args[2:]...)...)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", p, err, out)
		}
	}
}

// boot runs the machine until it is off and gives what it has said on its serial line.
func boot(t *testing.T, root, disk string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTimeout)
	defer cancel()
	one := func(pattern string) string {
		found, _ := filepath.Glob(filepath.Join(root, "boot", pattern))
		if len(found) == 0 {
			t.Fatalf("there is no %s in the system", pattern)
		}
		return found[0]
	}
	// No AppArmor: the system lacks apparmor_parser. One processor, and no cmpxchg16b in the kernel: QEMU 7.2 emulates neither reliably.
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "1024",
		"-nographic", "-nodefaults", "-serial", "stdio", "-kernel", one("vmlinuz-*"), "-initrd", one("initrd.img-*"),
		"-append", "root=/dev/vda rw console=ttyS0 panic=-1 apparmor=0 cryptomgr.notests clearcpuid=cx16 systemd.unified_cgroup_hierarchy=1",
		"-drive", "if=virtio,format=raw,file="+disk)
	var told bytes.Buffer
	cmd.Stdout = io.MultiWriter(&told, t.Output())
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		t.Errorf("the machine: %v", err)
	}
	return strings.ReplaceAll(told.String(), "\r", "")
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
