//go:build cgo && seccomp

package libct

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The tests run in mount and network namespaces of their own.
const childEnv = "BERTH_LIBCT_TEST_CHILD"

func TestMain(m *testing.M) {
	Init()
	if os.Getenv(childEnv) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		println("SKIP: needs root and namespaces:", err.Error())
		return
	}
	if cmd.Wait() != nil {
		os.Exit(1)
	}
}

func cgroupParent() string { return fmt.Sprintf("berth-libct-test-%d", os.Getpid()) }

// mappedBase makes an image of busybox, a container's directories and a volume of the container's root.
func mappedBase(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox here")
	}
	base, err := os.MkdirTemp("/var/tmp", "berth-libct")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	t.Cleanup(func() { // the parent of the container's cgroup
		for _, dir := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup"} {
			left, err := filepath.Glob(filepath.Join(dir, cgroupParent()))
			if err != nil {
				t.Error(err)
			}
			for _, cg := range left {
				if err := os.Remove(cg); err != nil {
					t.Errorf("left behind: %v", err)
				}
			}
		}
	})
	if err := os.Chmod(base, 0o711); err != nil { // the container's root walks through it
		t.Fatal(err)
	}
	for _, d := range []string{"low/bin", "low/etc", "c/upper", "c/work", "vol"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(base+"/low/bin/busybox", b, 0o755)
	}
	if err == nil {
		err = os.WriteFile(base+"/low/etc/passwd", []byte("root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n"), 0o644)
	}
	if err == nil {
		err = os.Chown(base+"/vol", 100000, 200000)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"sh", "id", "cat", "ls", "ping", "chown", "touch", "sleep"} {
		if err := os.Symlink("busybox", base+"/low/bin/"+n); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func mappedStart(base, key string, args ...string) *proto.Start {
	caps := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_NET_RAW", "CAP_SETUID", "CAP_SETGID"}
	return &proto.Start{
		RootfsPath: base + "/rootfs/x",
		Rootfs: []proto.Mount{{Type: "overlay", Source: "overlay", Options: []string{
			"index=off", "lowerdir=" + base + "/low", "upperdir=" + base + "/c/upper", "workdir=" + base + "/c/work"}}},
		Spec: &specs.Spec{Version: "1.2.0", Hostname: "h",
			Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"},
				Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}},
			Mounts: []specs.Mount{
				{Destination: "/proc", Type: "proc", Source: "proc"},
				{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=755"}},
				{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"newinstance", "ptmxmode=0666", "gid=5"}},
				{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}},
				{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue"},
				{Destination: "/vol", Type: "bind", Source: base + "/vol", Options: []string{"rbind", "rprivate"}},
			},
			Linux: &specs.Linux{
				UIDMappings: []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}},
				GIDMappings: []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}},
				CgroupsPath: "/" + cgroupParent() + "/x",
				Sysctl:      map[string]string{"net.ipv4.ping_group_range": "0 65535"},
				Namespaces:  []specs.LinuxNamespace{{Type: "mount"}, {Type: "pid"}, {Type: "ipc"}, {Type: "uts"}, {Type: "user"}, {Type: "network", Path: key}},
			}},
	}
}

// outputs gives standard streams and what has been written to them, read when the writers have gone.
func outputs(t *testing.T) (stdio [3]*os.File, all func() string) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return [3]*os.File{null, w, w}, func() string {
		null.Close()
		w.Close()
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Error(err)
		}
		return strings.Join(strings.Fields(string(b)), " ")
	}
}

func mappedNetwork(t *testing.T, base string) string {
	t.Helper()
	ids := user.IdentityMapping{UIDMaps: []user.IDMap{{ParentID: 100000, Count: 65536}}, GIDMaps: []user.IDMap{{ParentID: 200000, Count: 65536}}}
	key := base + "/netns"
	err := netns.CreateOwned(key, ids, func() error {
		n, err := netns.Current(nil)
		if err != nil {
			return err
		}
		defer n.Close()
		return n.LoopbackUp()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(key); err != nil {
			t.Error(err)
		}
	})
	return key
}

func ownerOf(name string) string {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Uid, ":", st.Gid)
}

func TestMappedContainer(t *testing.T) {
	base := mappedBase(t)
	s, err := New(base+"/state", base+"/rootfs")
	if err != nil {
		t.Fatal(err)
	}
	stdio, all := outputs(t)
	script := "id -u; cat /proc/self/uid_map /proc/sys/net/ipv4/ping_group_range; touch /new /vol/v; touch /www; chown 33:33 /www; ping -c1 -w5 127.0.0.1 >/dev/null && echo pinged; ls /sys/class/net; touch /done; exec sleep 1000"
	c, p, _, err := s.Start("x", mappedStart(base, mappedNetwork(t, base), "/bin/sh", "-c", script), stdio)
	if err != nil {
		t.Fatal(err)
	}
	inside, say := outputs(t)
	e := &proto.Exec{User: "www", Process: &specs.Process{Cwd: "/", Env: []string{"PATH=/bin"}, Args: []string{"sh", "-c", "id -u; cat /proc/self/uid_map"}}}
	ep, _, err := c.Exec("e", e, inside)
	if err != nil {
		t.Errorf("exec: %v", err)
	} else if st, err := ep.Wait(); err != nil || !st.Success() {
		t.Errorf("exec: %v, %v", st, err)
	}
	if got := say(); got != "33 0 100000 65536" {
		t.Errorf("the other process said %q", got)
	}
	for end := 500; end > 0 && ownerOf(base+"/c/upper/done") != "0:0"; end-- {
		time.Sleep(20 * time.Millisecond)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid)); err != nil || !strings.Contains(string(b), "Uid:\t100000\t100000") {
		t.Errorf("on the machine it is not 100000 (%v)", err)
	}
	for name, want := range map[string]string{"c/upper/new": "0:0", "c/upper/www": "33:33", "vol/v": "100000:200000", "rootfs": "0:200000"} {
		if got := ownerOf(filepath.Join(base, name)); got != want {
			t.Errorf("%s is %s's, want %s", name, got, want)
		}
	}
	if err := c.SignalAll(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
	if got := all(); got != "0 0 100000 65536 0 65535 pinged lo" {
		t.Errorf("it said %q", got)
	}
	if err := c.Destroy(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(base + "/rootfs"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestMappedContainerIsNeverTheMachinesRoot(t *testing.T) {
	base := mappedBase(t)
	s, err := New(base+"/state", base+"/rootfs")
	if err != nil {
		t.Fatal(err)
	}
	key := base + "/netns" // of the machine's user namespace
	if err := netns.Create(key, nil); err != nil {
		t.Fatal(err)
	}
	defer netns.Delete(key)
	stdio, all := outputs(t)
	c, p, _, err := s.Start("x", mappedStart(base, key, "/bin/id"), stdio)
	if err == nil {
		p.Wait()
		c.Destroy()
		t.Errorf("it was started: %s", all())
		return
	}
	all()
	if !strings.Contains(err.Error(), "belongs to no user namespace of a container") {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(base + "/rootfs"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
