package harness

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// ids are the containers that tests made.
type ids struct {
	mu   sync.Mutex
	list []string
}

var made ids

func (i *ids) add(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list = append(i.list, id)
}

func (i *ids) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.list...)
}

// bound is how long any single step of a test may take.
const bound = 120 * time.Second

// Ctx is a context for one step.
func (w *World) Ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	w.Cleanup(cancel)
	return ctx
}

// Spec is what a test says of a container.
type Spec struct {
	Name  string
	Image string // "bb" where empty
	Cmd   []string
	Conf  func(*container.Config, *container.HostConfig)
	Opts  func(*client.ContainerCreateOptions)
}

// TryCreate creates a container.
func (w *World) TryCreate(s Spec) (string, error) {
	o := client.ContainerCreateOptions{Name: s.Name, Config: &container.Config{Image: s.Image, Cmd: s.Cmd}, HostConfig: &container.HostConfig{}}
	if s.Image == "" {
		o.Config.Image = "bb"
	}
	if s.Conf != nil {
		s.Conf(o.Config, o.HostConfig)
	}
	if s.Opts != nil {
		s.Opts(&o)
	}
	res, err := w.API.ContainerCreate(w.Ctx(), o)
	if err == nil {
		made.add(res.ID)
	}
	return res.ID, err
}

// Create creates a container; it must succeed.
func (w *World) Create(s Spec) string {
	w.Helper()
	id, err := w.TryCreate(s)
	if err != nil {
		w.Fatalf("create: %v", err)
	}
	return id
}

// Run creates and starts a container; both must succeed.
func (w *World) Run(s Spec) string {
	w.Helper()
	id := w.Create(s)
	w.Begin(id)
	return id
}

// TryStart starts a container.
func (w *World) TryStart(id string) error {
	_, err := w.API.ContainerStart(w.Ctx(), id, client.ContainerStartOptions{})
	return err
}

// Begin starts a container; it must succeed.
func (w *World) Begin(id string) {
	w.Helper()
	if err := w.TryStart(id); err != nil {
		w.Fatalf("start: %v", err)
	}
}

// Wait waits for a container's end and gives its exit code.
func (w *World) Wait(id string) int {
	w.Helper()
	return w.Waited(w.API.ContainerWait(w.Ctx(), id, client.ContainerWaitOptions{}))
}

// Waited gives the exit code of a wait that was begun before.
func (w *World) Waited(r client.ContainerWaitResult) int {
	w.Helper()
	select {
	case res := <-r.Result:
		return int(res.StatusCode)
	case err := <-r.Error:
		w.Fatalf("wait: %v", err)
	case <-time.After(bound):
		w.Fatal("wait: no answer")
	}
	return -1
}

// Logs gives what a container wrote: standard output, standard error.
func (w *World) Logs(id string) (string, string) {
	w.Helper()
	r, err := w.API.ContainerLogs(w.Ctx(), id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	w.Must(err)
	defer r.Close()
	if w.Inspect(id).Config.Tty {
		b, err := io.ReadAll(r)
		w.Must(err)
		return string(b), ""
	}
	return w.Split(r)
}

// Split takes a stream of both outputs apart.
func (w *World) Split(r io.Reader) (string, string) {
	w.Helper()
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, r); err != nil {
		w.Fatalf("reading the stream: %v", err)
	}
	return out.String(), errs.String()
}

// Result runs a container to its end, removes it, and gives what it wrote and its exit code. Its start must succeed.
func (w *World) Result(s Spec) (string, int) {
	w.Helper()
	id := w.Run(s)
	code := w.Wait(id)
	out, errs := w.Logs(id)
	w.Remove(id)
	return out + errs, code
}

// Output is Result of a command that must succeed.
func (w *World) Output(s Spec) string {
	w.Helper()
	out, code := w.Result(s)
	if code != 0 {
		w.Fatalf("%q: exit code %d, %q", s.Cmd, code, out)
	}
	return out
}

// TryExec runs a command in a running container and gives what it wrote and its exit code.
func (w *World) TryExec(id string, o client.ExecCreateOptions) (string, int, error) {
	w.Helper()
	o.AttachStdout, o.AttachStderr = true, true
	e, err := w.API.ExecCreate(w.Ctx(), id, o)
	if err != nil {
		return "", 0, err
	}
	a, err := w.API.ExecAttach(w.Ctx(), e.ID, client.ExecAttachOptions{TTY: o.TTY})
	if err != nil {
		return "", 0, err
	}
	defer a.Close()
	var out, errs string
	if o.TTY {
		b, _ := io.ReadAll(a.Reader)
		out = string(b)
	} else {
		out, errs = w.Split(a.Reader)
	}
	res, err := w.API.ExecInspect(w.Ctx(), e.ID, client.ExecInspectOptions{})
	if err == nil && res.Running {
		w.Errorf("exec %q is told to run after its stream ended", o.Cmd)
	}
	return out + errs, res.ExitCode, err
}

// Exec is TryExec of a plain command that must be started.
func (w *World) Exec(id string, cmd ...string) (string, int) {
	w.Helper()
	out, code, err := w.TryExec(id, client.ExecCreateOptions{Cmd: cmd})
	if err != nil {
		w.Fatalf("exec %q: %v", cmd, err)
	}
	return out, code
}

// Remove removes a container with its anonymous volumes, running or not.
func (w *World) Remove(id string) {
	w.Helper()
	if _, err := w.API.ContainerRemove(w.Ctx(), id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
		w.Fatalf("remove: %v", err)
	}
}

// Inspect gives a container as the engine sees it.
func (w *World) Inspect(id string) container.InspectResponse {
	w.Helper()
	res, err := w.API.ContainerInspect(w.Ctx(), id, client.ContainerInspectOptions{})
	w.Must(err)
	return res.Container
}

// removeAll removes every container, at the end of a test.
func (w *World) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	list, err := w.API.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		w.Errorf("listing containers at the end: %v", err)
		return
	}
	for _, c := range list.Items {
		_, err := w.API.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !strings.Contains(err.Error(), "already in progress") && !strings.Contains(err.Error(), "No such container") {
			w.Errorf("removing %s at the end: %v", c.ID[:12], err)
		}
	}
}
