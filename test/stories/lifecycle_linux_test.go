package stories

import (
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// untilTerm is a command that says two lines, then waits for SIGTERM and ends with 7.
func untilTerm() []string {
	return []string{"sh", "-c", "trap 'echo bye; exit 7' TERM; echo out; echo err >&2; while :; do usleep 20000; done"}
}

func TestLifecycle(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Name: "web1", Cmd: untilTerm()})
	w.Eventually("the log has both lines", func() bool {
		out, errs := w.Logs(id)
		return out == "out\n" && errs == "err\n"
	})
	list, err := w.API.ContainerList(w.Ctx(), client.ContainerListOptions{})
	w.Must(err)
	if len(list.Items) != 1 || list.Items[0].Names[0] != "/web1" || list.Items[0].State != "running" || !strings.HasPrefix(list.Items[0].Status, "Up ") {
		t.Errorf("the list: %+v", list.Items)
	}
	if out, code := w.Exec("web1", "sh", "-c", "echo from exec; exit 3"); out != "from exec\n" || code != 3 {
		t.Errorf("exec: %q, %d", out, code)
	}
	patience := 300
	_, err = w.API.ContainerStop(w.Ctx(), id, client.ContainerStopOptions{Timeout: &patience})
	w.Must(err)
	if s := w.Inspect(id).State; s.Running || s.ExitCode != 7 || s.Status != "exited" {
		t.Errorf("after stop: %+v", s)
	}
	if out, _ := w.Logs(id); out != "out\nbye\n" {
		t.Errorf("the log after stop: %q", out)
	}
	w.Begin(id)
	if !w.Inspect(id).State.Running {
		t.Error("not running after the second start")
	}
	if _, err := w.API.ContainerRemove(w.Ctx(), id, client.ContainerRemoveOptions{}); err == nil {
		t.Error("a running container was removed without force")
	}
	w.Remove(id)
	if _, err := w.API.ContainerInspect(w.Ctx(), id, client.ContainerInspectOptions{}); err == nil || !strings.Contains(err.Error(), "No such container") {
		t.Errorf("inspect after remove: %v", err)
	}
	w.Part("pause, rename, top, restart", otherVerbs)
	w.Part("exit codes", exitCodes)
	w.Part("commands that cannot run", cannotRun)
	w.Part("--rm again and again", autoRemove)
}

func otherVerbs(w *harness.World) {
	id := w.Run(harness.Spec{Name: "first", Cmd: untilTerm()})
	_, err := w.API.ContainerPause(w.Ctx(), id, client.ContainerPauseOptions{})
	w.Must(err)
	if s := w.Inspect(id).State; !s.Paused || s.Status != container.StatePaused {
		w.Errorf("after pause: %+v", s)
	}
	_, err = w.API.ContainerUnpause(w.Ctx(), id, client.ContainerUnpauseOptions{})
	w.Must(err)
	_, err = w.API.ContainerRename(w.Ctx(), id, client.ContainerRenameOptions{NewName: "second"})
	w.Must(err)
	before := w.Inspect("second")
	if before.Name != "/second" || before.ID != id {
		w.Errorf("after rename: %s %s", before.Name, before.ID)
	}
	top, err := w.API.ContainerTop(w.Ctx(), id, client.ContainerTopOptions{})
	w.Must(err)
	if len(top.Processes) == 0 || !strings.Contains(strings.Join(top.Processes[0], " "), "trap") {
		w.Errorf("top: %+v", top)
	}
	patience := 300
	_, err = w.API.ContainerRestart(w.Ctx(), id, client.ContainerRestartOptions{Timeout: &patience})
	w.Must(err)
	if after := w.Inspect(id); !after.State.Running || after.State.Pid == before.State.Pid || after.State.StartedAt == before.State.StartedAt {
		w.Errorf("after restart: %+v", after.State)
	}
	_, err = w.API.ContainerKill(w.Ctx(), id, client.ContainerKillOptions{Signal: "KILL"})
	w.Must(err)
	if code := w.Wait(id); code != 137 {
		w.Errorf("killed: exit code %d", code)
	}
	w.Remove(id)
}

func exitCodes(w *harness.World) {
	for _, c := range []struct {
		cmd  []string
		code int
	}{
		{[]string{"true"}, 0}, {[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"sh", "-c", "kill -9 $$"}, 137}, {[]string{"sh", "-c", "kill -15 $$"}, 143},
	} {
		_, code := w.Result(harness.Spec{Cmd: c.cmd, Conf: func(_ *container.Config, h *container.HostConfig) {
			yes := true
			h.Init = &yes // process 1 of a pid namespace cannot kill itself
		}})
		if code != c.code {
			w.Errorf("%q: exit code %d, not %d", c.cmd, code, c.code)
		}
	}
}

func cannotRun(w *harness.World) {
	for _, c := range []struct {
		cmd  string
		code int
		text string
	}{
		{"/missing", 127, "no such file or directory"}, {"missing", 127, "executable file not found"},
		{"/notexec", 126, "permission denied"}, {"/etc", 126, ""},
	} {
		id := w.Create(harness.Spec{Cmd: []string{c.cmd}})
		err := w.TryStart(id)
		if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(strings.TrimSpace(err.Error()), "\n") {
			w.Errorf("starting %s: %v", c.cmd, err)
		}
		if s := w.Inspect(id).State; s.ExitCode != c.code || s.Running {
			w.Errorf("%s: %+v", c.cmd, s)
		}
		w.Remove(id)
	}
}

// Name and port are free before a removal is told.
func autoRemove(w *harness.World) {
	for i := range 20 {
		id, err := w.TryCreate(harness.Spec{Name: "again", Cmd: []string{"true"}, Conf: func(c *container.Config, h *container.HostConfig) {
			h.AutoRemove = true
			publish(c, h, "127.0.0.1", 8077, 80)
		}})
		if err != nil {
			w.Fatalf("round %d: %v", i, err)
		}
		gone := w.API.ContainerWait(w.Ctx(), id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
		if err := w.TryStart(id); err != nil {
			w.Fatalf("round %d: %v", i, err)
		}
		if code := w.Waited(gone); code != 0 {
			w.Fatalf("round %d: exit code %d", i, code)
		}
	}
}

// next reads from a channel, with patience.
func next[T any](w *harness.World, what string, c <-chan T) (v T) {
	w.Helper()
	select {
	case v = <-c:
	case <-time.After(60 * time.Second):
		w.Fatalf("%s: nothing came", what)
	}
	return v
}
