//go:build linux

package runtime

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func input(change ...func(*Input)) Input {
	in := Input{
		ID: "c0ffee", Name: "web", Hostname: "c0ffee", Args: []string{"sh"}, NetNS: "/run/netns/c0ffee",
		Config:     &container.Config{},
		Host:       &container.HostConfig{CgroupnsMode: "private"},
		CgroupPath: "/berth/c0ffee",
	}
	for _, c := range change {
		c(&in)
	}
	return in
}

func spec(t *testing.T, change ...func(*Input)) *specs.Spec {
	t.Helper()
	s, err := NewSpec(input(change...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func nsPath(s *specs.Spec, kind specs.LinuxNamespaceType) (string, bool) {
	for _, n := range s.Linux.Namespaces {
		if n.Type == kind {
			return n.Path, true
		}
	}
	return "", false
}

func mountAt(s *specs.Spec, dst string) *specs.Mount {
	var found *specs.Mount
	for i := range s.Mounts {
		if s.Mounts[i].Destination == dst {
			found = &s.Mounts[i]
		}
	}
	return found
}

func TestPlainContainerIsConfined(t *testing.T) {
	s := spec(t)
	for _, ns := range []specs.LinuxNamespaceType{
		specs.MountNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.NetworkNamespace, specs.CgroupNamespace,
	} {
		if _, ok := nsPath(s, ns); !ok {
			t.Errorf("no %s namespace", ns)
		}
	}
	if s.Linux.Seccomp == nil || s.Linux.Seccomp.DefaultAction != specs.ActErrno {
		t.Error("no seccomp filter")
	}
	if len(s.Process.Capabilities.Bounding) != 14 || len(s.Process.Capabilities.Inheritable) != 0 || len(s.Process.Capabilities.Ambient) != 0 {
		t.Errorf("capabilities %+v", s.Process.Capabilities)
	}
	if !slices.Contains(s.Linux.MaskedPaths, "/proc/kcore") || !slices.Contains(s.Linux.ReadonlyPaths, "/proc/sys") {
		t.Error("paths of /proc are open")
	}
	if d := s.Linux.Resources.Devices; len(d) == 0 || d[0].Allow {
		t.Error("devices are not denied first")
	}
	if m := mountAt(s, "/sys"); m == nil || !slices.Contains(m.Options, "ro") {
		t.Error("/sys is writable")
	}
}

func TestPrivilegedContainerIsOpen(t *testing.T) {
	s := spec(t, func(in *Input) { in.Host.Privileged = true })
	if s.Linux.Seccomp != nil || len(s.Linux.MaskedPaths) != 0 || len(s.Linux.ReadonlyPaths) != 0 {
		t.Error("a privileged container is confined")
	}
	if len(s.Process.Capabilities.Effective) <= 14 {
		t.Errorf("only %d capabilities", len(s.Process.Capabilities.Effective))
	}
	if m := mountAt(s, "/sys"); slices.Contains(m.Options, "ro") {
		t.Error("/sys is read-only")
	}
	if len(s.Linux.Devices) == 0 {
		t.Error("no device of the machine")
	}
}

func TestCgroupsAreWritableWhereAskedFor(t *testing.T) {
	for _, tc := range []struct {
		opts       []string
		privileged bool
		want       bool
	}{
		{nil, false, false},
		{nil, true, true},
		{[]string{"writable-cgroups"}, false, true},
		{[]string{"writable-cgroups=true"}, false, true},
		{[]string{"writable-cgroups=false"}, true, false},
	} {
		s := spec(t, func(in *Input) { in.Host.SecurityOpt, in.Host.Privileged = tc.opts, tc.privileged })
		if got := !slices.Contains(mountAt(s, "/sys/fs/cgroup").Options, "ro"); got != tc.want {
			t.Errorf("%v, privileged %v: writable %v", tc.opts, tc.privileged, got)
		}
	}
}

func TestNamespacesFollowTheModes(t *testing.T) {
	s := spec(t, func(in *Input) {
		in.NetNS = ""
		in.Host.PidMode, in.Host.UTSMode, in.Host.CgroupnsMode = "host", "host", "host"
		in.IpcNS = "/proc/7/ns/ipc"
	})
	for _, ns := range []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.PIDNamespace, specs.UTSNamespace, specs.CgroupNamespace} {
		if _, ok := nsPath(s, ns); ok {
			t.Errorf("%s namespace is not the machine's", ns)
		}
	}
	if p, _ := nsPath(s, specs.IPCNamespace); p != "/proc/7/ns/ipc" {
		t.Errorf("ipc namespace %q", p)
	}
	if s.Hostname != "" || len(s.Linux.Sysctl) != 0 {
		t.Error("the machine's hostname or sysctls would be changed")
	}
	if m := mountAt(s, "/sys"); m.Type != "bind" {
		t.Error("sysfs cannot be mounted without a network namespace of one's own")
	}
}

func TestCapabilitySets(t *testing.T) {
	for _, tc := range []struct {
		name      string
		add, drop []string
		has, not  []string
	}{
		{"add", []string{"SYS_ADMIN"}, nil, []string{"CAP_SYS_ADMIN", "CAP_CHOWN"}, nil},
		{"prefix and case", []string{"cap_net_admin"}, nil, []string{"CAP_NET_ADMIN"}, nil},
		{"drop", nil, []string{"CHOWN"}, nil, []string{"CAP_CHOWN"}},
		{"drop all, add one", []string{"NET_RAW"}, []string{"ALL"}, []string{"CAP_NET_RAW"}, []string{"CAP_CHOWN"}},
		{"add all, drop one", []string{"ALL"}, []string{"SYS_ADMIN"}, []string{"CAP_NET_ADMIN"}, []string{"CAP_SYS_ADMIN"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := capabilities(false, tc.add, tc.drop)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range tc.has {
				if !slices.Contains(got, c) {
					t.Errorf("%s is missing of %v", c, got)
				}
			}
			for _, c := range tc.not {
				if slices.Contains(got, c) {
					t.Errorf("%s is in %v", c, got)
				}
			}
		})
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"capability":      func(in *Input) { in.Host.CapAdd = []string{"FLY"} },
		"cgroups":         func(in *Input) { in.Host.SecurityOpt = []string{"writable-cgroups=1"} },
		"security option": func(in *Input) { in.Host.SecurityOpt = []string{"magic=on"} },
		"seccomp profile": func(in *Input) { in.Host.SecurityOpt = []string{"seccomp={"} },
		"workdir":         func(in *Input) { in.Config.WorkingDir = "relative" },
		"device":          func(in *Input) { in.Host.Devices = []container.DeviceMapping{{PathOnHost: "/dev/nothing-here"}} },
		"a file as device": func(in *Input) {
			in.Host.Devices = []container.DeviceMapping{{PathOnHost: "/etc/passwd", PathInContainer: "/dev/x"}}
		},
		"device rule": func(in *Input) { in.Host.DeviceCgroupRules = []string{"c 1:2 rwz"} },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSpec(input(change))
			if errdefs.KindOf(err) != errdefs.KindInvalid {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestSeccompFollowsCapabilities(t *testing.T) {
	allowed := func(s *specs.Spec, call string) bool {
		for _, r := range s.Linux.Seccomp.Syscalls {
			if r.Action == specs.ActAllow && slices.Contains(r.Names, call) && len(r.Args) == 0 {
				return true
			}
		}
		return false
	}
	if allowed(spec(t), "mount") {
		t.Error("a plain container may mount")
	}
	if !allowed(spec(t, func(in *Input) { in.Host.CapAdd = []string{"SYS_ADMIN"} }), "mount") {
		t.Error("SYS_ADMIN may not mount")
	}
	if spec(t, func(in *Input) { in.Host.SecurityOpt = []string{"seccomp=unconfined"} }).Linux.Seccomp != nil {
		t.Error("unconfined is filtered")
	}
}

func TestMountsAskedForWin(t *testing.T) {
	s := spec(t, func(in *Input) {
		in.Files = []Mount{{Type: "bind", Source: "/state/hosts", Destination: "/etc/hosts"}, {Type: "bind", Source: "/state/resolv", Destination: "/etc/resolv.conf"}}
		in.Mounts = []Mount{
			{Type: "bind", Source: "/a/deep", Destination: "/data/deep/er"},
			{Type: "bind", Source: "/a", Destination: "/data", ReadOnly: true},
			{Type: "bind", Source: "/mine", Destination: "/etc/hosts"},
			{Type: "tmpfs", Destination: "/dev/shm", Options: []string{"size=1m", "exec"}},
		}
	})
	if m := mountAt(s, "/etc/hosts"); m.Source != "/mine" {
		t.Errorf("/etc/hosts is %s", m.Source)
	}
	if m := mountAt(s, "/etc/resolv.conf"); m == nil || m.Source != "/state/resolv" {
		t.Error("resolv.conf is not berth's")
	}
	if m := mountAt(s, "/dev/shm"); !slices.Contains(m.Options, "size=1m") || slices.Contains(m.Options, "noexec") {
		t.Errorf("/dev/shm is %v", m.Options)
	}
	if m := mountAt(s, "/data"); !slices.Contains(m.Options, "ro") {
		t.Errorf("/data is %v", m.Options)
	}
	order := func(dst string) int {
		return slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == dst })
	}
	if order("/data") > order("/data/deep/er") {
		t.Error("the deeper mount comes first and would be hidden")
	}
}

func TestPropagationReachesTheRoot(t *testing.T) {
	s := spec(t, func(in *Input) {
		in.Mounts = []Mount{{Type: "bind", Source: "/a", Destination: "/b", Propagation: "rslave"}}
	})
	if s.Linux.RootfsPropagation != "rslave" {
		t.Errorf("root propagation %q", s.Linux.RootfsPropagation)
	}
}

func TestMergeEnv(t *testing.T) {
	for _, tc := range []struct{ base, over, want []string }{
		{[]string{"A=1", "B=2"}, []string{"A=3"}, []string{"A=3", "B=2"}},
		{[]string{"A=1"}, []string{"C=4", "C=5"}, []string{"A=1", "C=5"}},
		{[]string{"A=1", "B=2"}, []string{"A"}, []string{"B=2"}},
		{[]string{"A=1"}, []string{"A", "A=2"}, []string{"A=2"}},
		{nil, []string{"X"}, nil},
		{[]string{"A=x=y"}, nil, []string{"A=x=y"}},
	} {
		got := MergeEnv(tc.base, tc.over)
		if strings.Join(got, ",") != strings.Join(tc.want, ",") {
			t.Errorf("%v over %v: %v, want %v", tc.over, tc.base, got, tc.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	s := spec(t, func(in *Input) {
		in.Streams = proto.Streams{Terminal: true, Height: 24, Width: 80}
		in.Env = []string{"PATH=/opt/bin", "K=v"}
	})
	want := []string{"PATH=/opt/bin", "HOSTNAME=c0ffee", "TERM=xterm", "K=v"}
	if !reflect.DeepEqual(s.Process.Env, want) {
		t.Errorf("environment %v", s.Process.Env)
	}
	if s.Process.ConsoleSize == nil || s.Process.ConsoleSize.Width != 80 {
		t.Error("the terminal has no size")
	}
}

func TestResources(t *testing.T) {
	limit := int64(100)
	r, err := Resources(&container.Resources{Memory: 64 << 20, NanoCPUs: 1_500_000_000, PidsLimit: &limit, CpusetCpus: "0"})
	if err != nil {
		t.Fatal(err)
	}
	if *r.Memory.Limit != 64<<20 || *r.Memory.Swap != 128<<20 {
		t.Errorf("memory %d, with swap %d", *r.Memory.Limit, *r.Memory.Swap)
	}
	if *r.CPU.Quota != 150_000 || *r.CPU.Period != 100_000 || r.CPU.Cpus != "0" {
		t.Errorf("cpu %+v", r.CPU)
	}
	if *r.Pids.Limit != 100 {
		t.Errorf("pids %d", *r.Pids.Limit)
	}
	if r, _ := Resources(&container.Resources{}); r.Memory != nil || r.CPU != nil || r.Pids != nil || r.BlockIO != nil {
		t.Errorf("no limits give %+v", r)
	}
}

func TestDeviceRules(t *testing.T) {
	for rule, ok := range map[string]bool{
		"c 1:3 rwm": true, "b *:* r": true, "a *:* rwm": true, "c 1:* m": true,
		"": false, "c": false, "x 1:3 r": false, "c a:3 r": false, "c 1:3": false, "c -1:3 r": false,
	} {
		if _, err := deviceRule(rule); (err == nil) != ok {
			t.Errorf("%q: %v", rule, err)
		}
	}
}

func TestExecRunsAsAskedFor(t *testing.T) {
	base := input(func(in *Input) { in.Config.User, in.Config.WorkingDir = "app", "/srv" })
	p, user, err := execProcess(base, ExecInput{Args: []string{"id"}})
	if err != nil || user != "app" || p.Cwd != "/srv" || len(p.Capabilities.Bounding) != 14 {
		t.Errorf("%v as %s in %s, error %v", p, user, p.Cwd, err)
	}
	p, user, err = execProcess(base, ExecInput{Args: []string{"id"}, User: "0", Privileged: true, WorkingDir: "/x/../y"})
	if err != nil || user != "0" || p.Cwd != "/y" || len(p.Capabilities.Bounding) <= 14 {
		t.Errorf("%v as %s, error %v", p, user, err)
	}
	if _, _, err := execProcess(base, ExecInput{Args: []string{"id"}, WorkingDir: "y"}); err == nil {
		t.Error("a relative directory is taken")
	}
}
