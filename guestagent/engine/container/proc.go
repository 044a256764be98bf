//go:build linux

package container

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
)

// readProc gives columns of ps -ef from /proc, for machines without a ps (proc_pid_stat(5)).
func readProc(pids []int) (container.TopResponse, error) {
	resp := container.TopResponse{Titles: []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}, Processes: [][]string{}}
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it ended meanwhile
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(after)
		if len(f) < 13 {
			continue
		}
		resp.Processes = append(resp.Processes, []string{
			uidOf(pid), strconv.Itoa(pid), f[1], "0", "-", "?", cpuTime(f[11], f[12]), cmdOf(pid, string(stat)),
		})
	}
	return resp, nil
}

func uidOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "Uid:"); ok {
			if f := strings.Fields(v); len(f) > 0 {
				return f[0]
			}
		}
	}
	return "?"
}

// cpuTime adds user and system time, in clock ticks of a hundredth of a second, to h:m:s.
func cpuTime(user, system string) string {
	u, _ := strconv.ParseUint(user, 10, 64)
	k, _ := strconv.ParseUint(system, 10, 64)
	sec := (u + k) / 100
	return fmt.Sprintf("%02d:%02d:%02d", sec/3600, sec/60%60, sec%60)
}

func cmdOf(pid int, stat string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if len(b) > 0 {
		return strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
	}
	_, name, _ := strings.Cut(stat, "(")
	name, _, _ = strings.Cut(name, ")")
	return "[" + name + "]"
}
