//go:build linux

package container

import (
	"cmp"
	"context"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// hostPs is the machine's own ps: never one of a container's.
func hostPs() string {
	for _, p := range []string{"/usr/bin/ps", "/bin/ps"} {
		if _, err := exec.LookPath(p); err == nil {
			return p
		}
	}
	return ""
}

// ContainerTop lists the processes of a container as the machine's ps shows them. Without a ps, the columns of ps -ef
// are read from /proc.
func (s *Service) ContainerTop(ctx context.Context, ref, psArgs string) (container.TopResponse, error) {
	none := container.TopResponse{}
	e, err := s.find(ref)
	if err != nil {
		return none, err
	}
	r := e.snapshot()
	if r.State.Status == container.StateRestarting {
		return none, errdefs.Conflict("Container %s is restarting, wait until the container is running", r.ID)
	}
	if !r.State.running() {
		return none, errdefs.Conflict("container %s is not running", r.ID)
	}
	pids, err := s.Runtime.Pids(ctx, r.ID)
	if err != nil {
		return none, err
	}
	if psArgs == "" {
		psArgs = "-ef"
	}
	args := strings.Fields(psArgs)
	for _, a := range args {
		if strings.HasPrefix(a, "-o") && strings.Contains(a, "pid=") || a == "pid=" {
			return none, errdefs.Invalid("specifying %q is not allowed", "pid=")
		}
	}
	s.publish(&r, "top")
	ps := hostPs()
	if ps == "" {
		return readProc(pids)
	}
	return runPs(ctx, ps, args, pids)
}

func runPs(ctx context.Context, ps string, args []string, pids []int) (container.TopResponse, error) {
	// ps takes -q together with any columns; some options cannot be combined with it, and are then filtered here.
	list := make([]string, len(pids))
	for i, p := range pids {
		list[i] = strconv.Itoa(p)
	}
	out, err := exec.CommandContext(ctx, ps, append(slices.Clone(args), "-q"+strings.Join(list, ","))...).Output()
	if err != nil {
		if out, err = exec.CommandContext(ctx, ps, args...).Output(); err != nil {
			first, _, _ := strings.Cut(stderrOf(err), "\n")
			return container.TopResponse{}, errdefs.System("ps: %s", cmp.Or(first, err.Error()))
		}
	}
	return parsePs(string(out), pids)
}

func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return strings.TrimSpace(string(e.Stderr))
	}
	return ""
}

// parsePs keeps the lines of the container's processes.
func parsePs(out string, pids []int) (container.TopResponse, error) {
	resp := container.TopResponse{Processes: [][]string{}}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	resp.Titles = strings.Fields(lines[0])
	at := slices.Index(resp.Titles, "PID")
	if at < 0 {
		return resp, errdefs.Invalid("Couldn't find PID field in ps output")
	}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		if len(f) <= at {
			continue
		}
		pid, err := strconv.Atoi(f[at])
		if err != nil || !slices.Contains(pids, pid) {
			continue
		}
		if n := len(resp.Titles); len(f) > n { // the last column may have spaces
			f = append(f[:n-1:n-1], strings.Join(f[n-1:], " "))
		}
		resp.Processes = append(resp.Processes, f)
	}
	return resp, nil
}
