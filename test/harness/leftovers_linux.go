package harness

import (
	"fmt"
	"io/fs"
	"net"
	"os"
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
			// Bridges stay as long as the machine runs: containers that live on need them.
			if i.Name != "lo" && !strings.HasPrefix(i.Name, "berth") && !strings.HasPrefix(i.Name, "br-") {
				out = append(out, "interface "+i.Name)
			}
		}
	}
	return append(out, w.cgroups()...)
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
