package harness

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running program.
type Process struct {
	Pid int
	Exe string
}

// Processes lists the processes of this pid namespace but the test's own two, threads of the kernel and zombies.
func Processes() (out []Process) {
	list, _ := os.ReadDir("/proc")
	for _, d := range list {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || pid == 1 || pid == os.Getpid() {
			continue
		}
		if exe, err := os.Readlink(filepath.Join("/proc", d.Name(), "exe")); err == nil {
			out = append(out, Process{pid, exe})
		}
	}
	return out
}

// checkNothingLeft waits for what ends by itself, then fails for each thing that stays.
func (w *World) checkNothingLeft() {
	var left []string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		left = slices.DeleteFunc(w.leftovers(), func(s string) bool { return w.before[s] })
		if len(left) == 0 {
			return
		}
	}
	for _, l := range left {
		w.Errorf("left behind: %s", l)
	}
	for _, p := range Processes() {
		unix.Kill(p.Pid, unix.SIGKILL)
	}
}

func (w *World) leftovers() (out []string) {
	for _, p := range Processes() {
		cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Pid))
		out = append(out, fmt.Sprintf("process %d %s %q", p.Pid, p.Exe, cmd))
	}
	out = append(out, w.mounts()...)
	if list, err := net.Interfaces(); err == nil {
		for _, i := range list {
			if i.Name != "lo" && !isBridge(i.Name) {
				out = append(out, "interface "+i.Name)
			}
		}
	}
	return append(out, w.cgroups()...)
}

// isBridge tells the interfaces that stay as long as the machine runs: containers that live on need them.
func isBridge(name string) bool {
	return strings.HasPrefix(name, "berth") || strings.HasPrefix(name, "br-")
}

// dropBridges gives the next world all subnets.
func (w *World) dropBridges() {
	list, err := net.Interfaces()
	if err != nil {
		w.Errorf("listing interfaces: %v", err)
	}
	for _, i := range list {
		if isBridge(i.Name) {
			if out, err := exec.Command("ip", "link", "del", i.Name).CombinedOutput(); err != nil {
				w.Errorf("removing %s: %v: %s", i.Name, err, out)
			}
		}
	}
}

// mounts are those below the state directory.
func (w *World) mounts() (out []string) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], w.Layout.Root+"/") {
			out = append(out, "mount "+strings.TrimSpace(line))
		}
	}
	return out
}

var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// cgroups are those named as a container of this world is or was.
func (w *World) cgroups() (out []string) {
	mine := map[string]bool{}
	for _, id := range made.all() {
		mine[id] = true
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && containerID.MatchString(d.Name()) && mine[d.Name()] {
			out = append(out, "cgroup "+path)
		}
		return nil
	})
	return out
}
