package guestagent

import (
	"fmt"
	"os"
	"strings"

	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// mount is one file system that the guest has at boot.
type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

const (
	newRoot   = "/newroot"
	rootImage = "/root.erofs" // the programs, in the initramfs
	safe      = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
)

// first are what the agent itself wants, in the initramfs.
func first() []mount {
	return []mount{
		{"proc", "/proc", "proc", safe, ""},
		{"sysfs", "/sys", "sysfs", safe, ""},
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
	}
}

// second are made once the root is there.
func second() []mount {
	return []mount{
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666"},
		{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"mqueue", "/dev/mqueue", "mqueue", safe, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
		{"tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"cgroup2", cgroupRoot, "cgroup2", safe, "nsdelegate"},
		{"bpf", "/sys/fs/bpf", "bpf", safe, "mode=0700"},
		{"securityfs", "/sys/kernel/security", "securityfs", safe, ""},
	}
}

// mountAll mounts what it can. A missing one costs containers a feature, not the guest its boot.
func mountAll(list []mount) error {
	var faults []string
	for _, m := range list {
		err := os.MkdirAll(m.target, 0o755)
		if err == nil || os.IsPermission(err) { // below /sys nothing can be made
			err = unix.Mount(m.source, m.target, m.fstype, m.flags, m.data)
		}
		if err != nil {
			faults = append(faults, m.target+": "+err.Error())
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("mounting %s", strings.Join(faults, "; "))
	}
	return nil
}

// enterRoot makes the root: a tmpfs, since a container's root can be pivoted away from it and not from the initramfs,
// with the image's programs below /usr.
func enterRoot() error {
	image, err := loop(rootImage)
	if err != nil {
		return err
	}
	defer image.Close() // the mount holds it from then on
	if err := mountAll([]mount{
		{"root", newRoot, "tmpfs", 0, "mode=0755"},
		{image.Name(), newRoot + "/usr", "erofs", unix.MS_RDONLY | unix.MS_NODEV, ""},
	}); err != nil {
		return err
	}
	for _, dir := range []string{"proc", "sys", "dev"} {
		if err := os.Mkdir(newRoot+"/"+dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("/"+dir, newRoot+"/"+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("moving /%s: %w", dir, err)
		}
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, "")
}

// loop makes a block device of a file: EROFS mounts files itself, but not those of a tmpfs, which the initramfs is. The
// device goes when nobody has it open or mounted.
func loop(file string) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return nil, fmt.Errorf("a loop device: %w", err)
	}
	dev, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		dev.Close()
		return nil, err
	}
	defer f.Close()
	c := unix.LoopConfig{Fd: uint32(f.Fd()), Size: 4096, Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR}}
	if err := unix.IoctlLoopConfigure(int(dev.Fd()), &c); err != nil {
		dev.Close()
		return nil, fmt.Errorf("loop device of %s: %w", file, err)
	}
	return dev, nil
}

// furnish makes what programs expect of a root.
func furnish() error {
	for _, l := range [][2]string{{"usr/sbin", "/sbin"}, {"usr/bin", "/bin"}, {"usr/lib", "/lib"}, {"../run", "/var/run"}, {"../usr/lib/berth/ssl", "/etc/ssl"}} {
		if err := os.MkdirAll(parent(l[1]), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(l[0], l[1]); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/root", "/etc/berth", "/var/lib", "/var/tmp", "/mnt"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"/etc/passwd":        "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
		"/etc/group":         "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
		"/etc/hosts":         "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + hostname + "\n",
		"/etc/hostname":      hostname + "\n",
		"/etc/nsswitch.conf": "hosts: files dns\n",
		paths.ConfigFile:     engineConfig,
		"/etc/resolv.conf":   "nameserver " + agentapi.NetworkGateway4 + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// engineConfig is what the engine has to know of the host: which address it has, and that its loopback is spoken to
// without TLS, as an engine on the host itself would.
const engineConfig = `{"host-gateway-ip": "` + agentapi.NetworkHost4 + `", "insecure-registries": ["host.docker.internal", "host.berth.internal", "` + agentapi.NetworkHost4 + `/32"]}
`

func parent(p string) string { return p[:strings.LastIndexByte(p, '/')+1] }
