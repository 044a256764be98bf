package fields

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// disk is a block device of the machine, "" where there is none.
func disk(w *harness.World) string {
	w.Helper()
	for _, line := range strings.Split(file(w, "/proc/partitions"), "\n") {
		f := strings.Fields(line)
		var st unix.Stat_t
		if len(f) == 4 && f[0] != "major" && unix.Stat("/dev/"+f[3], &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
			return "/dev/" + f[3]
		}
	}
	w.Skip("this machine has no block device")
	return ""
}

// config is everything of Config that a container of Linux can be given.
func config() object {
	return object{
		"Image": "bb", "Hostname": "host1", "Domainname": "example.org", "User": "1000:1001", "WorkingDir": "/srv/deep",
		"Env": []string{"A=b", "PATH=/bin"}, "Entrypoint": []string{"sh", "-c"}, "Cmd": []string{"trap exit USR1; touch /scratch/x; while :; do usleep 20000; done"},
		"ExposedPorts": object{"81/tcp": object{}, "53/udp": object{}}, "Volumes": object{"/vol": object{}}, "Labels": object{"k": "v", "empty": ""},
		"AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "OpenStdin": true, "StdinOnce": true, "Tty": true, "ArgsEscaped": true,
		"OnBuild": []string{"RUN true"}, "Shell": []string{"/bin/sh", "-e"}, "StopSignal": "SIGUSR1", "StopTimeout": 7,
		"Healthcheck": object{"Test": []string{"CMD", "true"}, "Interval": 3e9, "Timeout": 4e9, "StartPeriod": 5e9, "StartInterval": 6e9, "Retries": 7},
	}
}

// host is everything of HostConfig that a container can be given together.
func host(disk string) object {
	rate := func(n int) []object { return []object{{"Path": disk, "Rate": n}} }
	return object{
		"Binds": []string{"named:/named:ro"}, "LogConfig": object{"Type": "json-file", "Config": object{"max-size": "1m", "max-file": "2"}},
		"RestartPolicy": object{"Name": "on-failure", "MaximumRetryCount": 3}, "ConsoleSize": []int{20, 100}, "Annotations": object{"note": "kept"},
		"PortBindings": object{"81/tcp": []object{{"HostIp": "127.0.0.1", "HostPort": "8181"}}},
		"CapAdd":       []string{"CAP_NET_ADMIN"}, "CapDrop": []string{"CAP_CHOWN", "CAP_MKNOD"}, "CgroupnsMode": "private", "CgroupParent": "/berth-fields",
		"Dns": []string{"192.0.2.53"}, "DnsOptions": []string{"ndots:3"}, "DnsSearch": []string{"example.net"}, "ExtraHosts": []string{"far:192.0.2.9"},
		"GroupAdd": []string{"4242"}, "IpcMode": "private", "OomScoreAdj": 321, "ReadonlyRootfs": true, "SecurityOpt": []string{"no-new-privileges"},
		"Tmpfs": object{"/scratch": "size=1m,mode=1777"}, "ShmSize": 32 << 20, "Sysctls": object{"net.ipv4.ip_unprivileged_port_start": "7"},
		"Runtime": "runc", "Umask": 0o027, "Init": true, "MaskedPaths": []string{"/proc/version"}, "ReadonlyPaths": []string{"/etc"},
		"CpuShares": 512, "CpuPeriod": 50000, "CpuQuota": 40000, "CpusetCpus": "0", "CpusetMems": "0",
		"Memory": 64 << 20, "MemoryReservation": 32 << 20, "MemorySwap": 96 << 20, "MemorySwappiness": 10, "OomKillDisable": true, "PidsLimit": 77,
		"Ulimits": []object{{"Name": "nofile", "Soft": 100, "Hard": 200}},
		"Devices": []object{{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/mine", "CgroupPermissions": "r"}}, "DeviceCgroupRules": []string{"c 42:* rmw"},
		"BlkioDeviceReadBps": rate(1 << 20), "BlkioDeviceWriteBps": rate(2 << 20), "BlkioDeviceReadIOps": rate(300), "BlkioDeviceWriteIOps": rate(400),
		"Mounts": []object{
			{"Type": "bind", "Source": "/usr", "Target": "/bound", "ReadOnly": true, "Consistency": "cached",
				"BindOptions": object{"Propagation": "private", "NonRecursive": true, "CreateMountpoint": true, "ReadOnlyNonRecursive": true}},
			{"Type": "bind", "Source": "/lib", "Target": "/forced", "ReadOnly": true, "BindOptions": object{"Propagation": "rprivate", "ReadOnlyForceRecursive": true}},
			{"Type": "volume", "Source": "labelled", "Target": "/data", "VolumeOptions": object{"NoCopy": true, "Labels": object{"of": "volume"},
				"DriverConfig": object{"Name": "local", "Options": object{"type": "tmpfs", "device": "tmpfs", "o": "size=2m"}}}},
			{"Type": "tmpfs", "Target": "/tmpfs", "TmpfsOptions": object{"SizeBytes": 3 << 20, "Mode": 0o1750, "Options": [][]string{{"noexec"}}}},
		},
	}
}

// create makes a container of bare JSON, and gives its ID and the warnings.
func create(w *harness.World, name string, conf, host object) (string, []string) {
	w.Helper()
	body := object{"HostConfig": host}
	for k, v := range conf {
		body[k] = v
	}
	var out container.CreateResponse
	w.Must(json.Unmarshal(ask(w, http.StatusCreated, http.MethodPost, "/containers/create?name="+name, body), &out))
	return out.ID, out.Warnings
}

// A container is what was asked for, in the words of the API and in the kernel's.
func TestSettings(t *testing.T) {
	w := harness.New(t)
	dev := disk(w)
	id, warnings := create(w, "all", config(), host(dev))
	want(w, "warnings", warnings, []string{})
	got := read[object](w, "/containers/"+id+"/json")
	holds(w, "Config", got["Config"], config())
	holds(w, "HostConfig", got["HostConfig"], host(dev))
	w.Begin(id)
	pid := w.Inspect(id).State.Pid
	child := 0
	w.Eventually("--init has a child, which executes its command", func() bool {
		for _, p := range harness.Processes() {
			b, _ := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/cmdline")
			if strings.HasPrefix(string(b), "sh\x00-c\x00trap") && (child == 0 || p.Pid < child) { // its own children are shells too, until they execute
				child = p.Pid
			}
		}
		return child > 0
	})
	want(w, "the child's parent", status(w, child, "PPid"), strconv.Itoa(pid))
	w.Part("limits", func(w *harness.World) { limits(w, pid, dev) })
	w.Part("process", func(w *harness.World) { process(w, child) })
	w.Part("files", func(w *harness.World) { files(w, id, child) })
	w.Part("mounts", func(w *harness.World) { mountsOf(w, child) })
	w.Part("stop", func(w *harness.World) {
		_, err := w.API.ContainerStop(w.Ctx(), id, client.ContainerStopOptions{})
		w.Must(err)
		if s := w.Inspect(id).State; s.ExitCode == 137 {
			w.Errorf("the signal to stop was not USR1: %+v", s)
		}
	})
}

func limits(w *harness.World, pid int, disk string) {
	var st unix.Stat_t
	w.Must(unix.Stat(disk, &st))
	of := strconv.Itoa(int(unix.Major(st.Rdev))) + ":" + strconv.Itoa(int(unix.Minor(st.Rdev))) + " "
	for _, f := range []struct{ controller, file, want string }{
		{"memory", "memory.limit_in_bytes", "67108864"}, {"memory", "memory.soft_limit_in_bytes", "33554432"},
		{"memory", "memory.memsw.limit_in_bytes", "100663296"}, {"memory", "memory.swappiness", "10"},
		{"cpu", "cpu.shares", "512"}, {"cpu", "cpu.cfs_period_us", "50000"}, {"cpu", "cpu.cfs_quota_us", "40000"},
		{"cpuset", "cpuset.cpus", "0"}, {"cpuset", "cpuset.mems", "0"}, {"pids", "pids.max", "77"},
		{"blkio", "blkio.throttle.read_bps_device", of + "1048576"}, {"blkio", "blkio.throttle.write_bps_device", of + "2097152"},
		{"blkio", "blkio.throttle.read_iops_device", of + "300"}, {"blkio", "blkio.throttle.write_iops_device", of + "400"},
	} {
		want(w, f.file, file(w, cgroup(w, pid, f.controller), f.file), f.want)
	}
	if got := file(w, cgroup(w, pid, "memory"), "memory.oom_control"); !strings.HasPrefix(got, "oom_kill_disable 1\n") {
		w.Errorf("memory.oom_control: %s", got)
	}
	if dir := cgroup(w, pid, "devices"); !strings.HasPrefix(dir, "/sys/fs/cgroup/devices/berth-fields/") {
		w.Errorf("the cgroup's parent: %s", dir)
	}
	rules := file(w, cgroup(w, pid, "devices"), "devices.list")
	for _, rule := range []string{"c 42:* rwm", "c 1:5 rwm"} {
		if !strings.Contains(rules, rule) {
			w.Errorf("no rule %q in %q", rule, rules)
		}
	}
}

// bit says whether a capability is in a mask of /proc.
func bit(w *harness.World, mask string, c uint) bool {
	w.Helper()
	n, err := strconv.ParseUint(mask, 16, 64)
	w.Must(err)
	return n>>c&1 == 1
}

func process(w *harness.World, pid int) {
	want(w, "Uid", status(w, pid, "Uid"), "1000 1000 1000 1000")
	want(w, "Gid", status(w, pid, "Gid"), "1001 1001 1001 1001")
	if groups := strings.Fields(status(w, pid, "Groups")); !contains(groups, "4242") {
		w.Errorf("groups %v", groups)
	}
	want(w, "Umask", status(w, pid, "Umask"), "0027")
	want(w, "NoNewPrivs", status(w, pid, "NoNewPrivs"), "1")
	bound := status(w, pid, "CapBnd")
	for c, has := range map[uint]bool{unix.CAP_NET_ADMIN: true, unix.CAP_CHOWN: false, unix.CAP_MKNOD: false, unix.CAP_KILL: true, unix.CAP_SYS_ADMIN: false} {
		want(w, "capability "+strconv.Itoa(int(c)), bit(w, bound, c), has)
	}
	proc := "/proc/" + strconv.Itoa(pid)
	want(w, "oom_score_adj", file(w, proc, "oom_score_adj"), "321")
	cwd, err := os.Readlink(proc + "/cwd")
	w.Must(err)
	want(w, "cwd", cwd, "/srv/deep")
	if env := strings.Split(file(w, proc, "environ"), "\x00"); !contains(env, "A=b") || !contains(env, "HOSTNAME=host1") {
		w.Errorf("environ %q", env)
	}
	if args := strings.Split(file(w, proc, "cmdline"), "\x00"); len(args) < 3 || args[0] != "sh" || args[1] != "-c" {
		w.Errorf("cmdline %q", args)
	}
	for _, line := range strings.Split(file(w, proc, "limits"), "\n") {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max open files") && (f[3] != "100" || f[4] != "200") {
			w.Errorf("limits: %s", line)
		}
	}
	for _, ns := range []string{"ipc", "cgroup"} {
		own, err := os.Readlink("/proc/self/ns/" + ns)
		w.Must(err)
		if its, err := os.Readlink(proc + "/ns/" + ns); err != nil || its == own {
			w.Errorf("namespace %s is the machine's: %s, %v", ns, its, err)
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// files are those that the engine writes for a container, as it sees them itself.
func files(w *harness.World, id string, pid int) {
	root := "/proc/" + strconv.Itoa(pid) + "/root"
	resolv := file(w, root, "etc/resolv.conf")
	for _, line := range []string{"nameserver 192.0.2.53", "search example.net", "options ndots:3"} {
		if !strings.Contains(resolv, line) {
			w.Errorf("resolv.conf has no %q: %q", line, resolv)
		}
	}
	hosts := file(w, root, "etc/hosts")
	if !strings.Contains(hosts, "192.0.2.9\tfar") || !strings.Contains(hosts, "host1.example.org host1") {
		w.Errorf("hosts: %q", hosts)
	}
	want(w, "hostname", file(w, root, "etc/hostname"), "host1")
	names, code := w.Exec(id, "cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if names != "host1\r\nexample.org\r\n7\r\n" && names != "host1\nexample.org\n7\n" || code != 0 {
		w.Errorf("names and sysctl: %q", names)
	}
	var st, zero unix.Stat_t
	w.Must(unix.Stat(root+"/dev/mine", &st))
	w.Must(unix.Stat("/dev/zero", &zero))
	want(w, "/dev/mine", st.Rdev, zero.Rdev)
	if out, _ := w.Exec(id, "cat", "/proc/version"); out != "" {
		w.Errorf("the masked path: %q", out)
	}
	size, _ := w.Exec(id, "stty", "-F", "/proc/1/fd/0", "size")
	if strings.TrimSpace(size) != "20 100" {
		w.Errorf("the terminal's size: %q", size)
	}
}

// mountsOf finds the mounts that were asked for in the container's own table.
func mountsOf(w *harness.World, pid int) {
	table := map[string][]string{}
	for _, line := range strings.Split(file(w, "/proc", strconv.Itoa(pid), "mountinfo"), "\n") {
		f := strings.Fields(line)
		table[f[4]] = append([]string{f[5]}, f[6:]...)
	}
	for at, words := range map[string]string{
		"/": "ro", "/named": "ro", "/bound": "ro", "/forced": "ro", "/etc": "ro", "/data": "rw size=2048k", "/vol": "rw",
		"/tmpfs": "noexec size=3072k mode=1750", "/scratch": "size=1024k", "/dev/shm": "size=32768k",
	} {
		have := strings.Join(table[at], " ")
		split := func(r rune) bool { return r == ' ' || r == ',' }
		for _, word := range strings.Fields(words) {
			if !contains(strings.FieldsFunc(have, split), word) {
				w.Errorf("%s is mounted %q, without %s", at, have, word)
			}
		}
	}
	if have := strings.Join(table["/bound"], " "); strings.Contains(have, "shared:") || strings.Contains(have, "master:") {
		w.Errorf("/bound is not private: %s", have)
	}
}
