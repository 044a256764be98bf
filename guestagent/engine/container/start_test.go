//go:build linux

package container

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

func TestLifeFromCreationToRemoval(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	id := w.create("web")
	if st := w.record(id).State.Status; st != container.StateCreated {
		t.Fatalf("created as %s", st)
	}
	if err := w.ContainerStart(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	r := w.record(id)
	if r.State.Status != container.StateRunning || r.State.Pid == 0 || r.State.StartedAt.IsZero() {
		t.Errorf("state %+v", r.State)
	}
	wantKind(t, w.ContainerStart(ctx, "web"), errdefs.KindNotModified, "container web is already running")
	w.rt.exit(id, 3)
	w.reaches("web", container.StateExited)
	if r = w.record(id); r.State.ExitCode != 3 || r.State.Pid != 0 || r.State.FinishedAt.IsZero() {
		t.Errorf("state %+v", r.State)
	}
	if w.nets.attached() != 0 || w.rt.known() != 0 {
		t.Error("it still holds something of the machine")
	}
	if err := w.ContainerRemove(ctx, "web", false, false, false); err != nil {
		t.Fatal(err)
	}
	w.vanishes(id)
	if w.imgs.held() != 0 {
		t.Error("its writable layer is left")
	}
	want := []string{"create", "start", "die", "destroy"}
	if got := w.bus.actions(); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestTheDefaultNetworkIsKnownByItsName(t *testing.T) {
	w := newWorld(t)
	id := w.create("web", func(r *container.CreateRequest) {
		r.HostConfig.NetworkMode = "default"
		r.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"default": {Aliases: []string{"a"}}}}
	})
	got, err := w.ContainerInspect(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	nets := got.NetworkSettings.Networks
	if len(nets) != 1 || nets["bridge"] == nil || !slices.Equal(nets["bridge"].Aliases, []string{"a"}) || got.HostConfig.NetworkMode != "bridge" {
		t.Errorf("networks = %v, mode %q; want the settings under bridge alone", nets, got.HostConfig.NetworkMode)
	}
}

func TestTheRuntimeIsToldEverything(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", func(r *container.CreateRequest) {
		r.Entrypoint, r.Cmd, r.Env = []string{"/app"}, []string{"-v", "x y"}, []string{"A=1"}
		r.OpenStdin, r.StdinOnce = true, true
		yes := true
		r.HostConfig.Init = &yes
		r.HostConfig.CgroupParent = "slice"
	})
	in := w.rt.input(id)
	if want := []string{"/sbin/docker-init", "--", "/app", "-v", "x y"}; !slices.Equal(in.Args, want) {
		t.Errorf("arguments %q", in.Args)
	}
	if !slices.Contains(in.Env, "A=1") || in.NetNS == "" || in.CgroupPath != "/slice/"+id || in.Hostname != id[:12] {
		t.Errorf("input %+v", in)
	}
	if !in.Streams.Stdin || !in.Streams.StdinOnce || in.Streams.Terminal {
		t.Errorf("streams %+v", in.Streams)
	}
	if in.Log.Driver != "json-file" || in.Log.Path != w.Layout.ContainerLog(id) {
		t.Errorf("log %+v", in.Log)
	}
}

func TestACommandThatEndsBeforeItsStartIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.rt.set(func(f *fakeRuntime) { f.quick = true })
	w.run("kept")
	w.reaches("kept", container.StateExited)
	id := w.run("gone", autoRemove)
	w.vanishes(id)
	if w.nets.attached() != 0 || w.rt.known() != 0 {
		t.Error("something is left of the machine's")
	}
}

func TestAStartThatFailsLeavesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code int
		text string
	}{
		"no such command": {errOf(syscall.ENOENT, `exec: "nope": executable file not found in $PATH`), 127, "executable file not found in $PATH"},
		"no permission":   {errOf(syscall.EACCES, `exec: "/etc": permission denied`), 126, "permission denied"},
		"not a program":   {errOf(syscall.ENOEXEC, "exec format error"), 126, "exec format error"},
		"the engine":      {errdefs.System("no memory"), 128, "no memory"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, w := context.Background(), newWorld(t)
			w.vols.Create(ctx, volumeOf("data"))
			id := w.create("web", func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"data:/data:nocopy"} })
			w.rt.set(func(f *fakeRuntime) { f.fail = tc.err })
			err := w.ContainerStart(ctx, id)
			if err == nil || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("error %v", err)
			}
			r := w.record(id)
			if r.State.Status != container.StateCreated || r.State.ExitCode != tc.code || r.State.Error != err.Error() {
				t.Errorf("state %+v", r.State)
			}
			if w.nets.attached() != 0 || w.vols.mounted() != 0 {
				t.Errorf("%d networks and %d volumes are still held", w.nets.attached(), w.vols.mounted())
			}
			w.rt.set(func(f *fakeRuntime) { f.fail = nil })
			if err := w.ContainerStart(ctx, id); err != nil {
				t.Errorf("it cannot be started any more: %v", err)
			}
			if st := w.record(id).State; st.Error != "" || st.ExitCode != 0 {
				t.Errorf("the old failure is still told: %+v", st)
			}
		})
	}
}

func errOf(errno syscall.Errno, text string) error {
	e := errdefs.Invalid("%s", text)
	e.Cause = errno
	return e
}

func TestAFailedStartIsWordedForClients(t *testing.T) {
	err := startError(errOf(syscall.ENOENT, `exec: "nope": executable file not found in $PATH: unknown`))
	if !strings.HasPrefix(err.Error(), "failed to create task for container: ") || !errors.Is(err, syscall.ENOENT) || errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("error %v", err)
	}
	other := errdefs.System("disk full")
	if startError(other) != error(other) {
		t.Error("an error that is no command's is reworded")
	}
}

func TestAFailedNetworkGivesVolumesBack(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	id := w.create("web", func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"data:/data:nocopy"} })
	w.nets.fail = errdefs.System("no addresses left")
	if err := w.ContainerStart(ctx, id); err == nil {
		t.Fatal("started")
	}
	if w.vols.mounted() != 0 {
		t.Error("a volume is still mounted")
	}
}

func TestAContainerOfRmWhoseStartFailsGoes(t *testing.T) {
	w := newWorld(t)
	id := w.create("xx", autoRemove)
	w.rt.set(func(f *fakeRuntime) { f.fail = errOf(syscall.ENOENT, "nope") })
	if err := w.ContainerStart(context.Background(), id); err == nil {
		t.Fatal("started")
	}
	w.vanishes(id)
}

func TestSharingNamespaces(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	other := w.create("other")
	id := w.create("web", func(r *container.CreateRequest) {
		r.HostConfig.NetworkMode, r.HostConfig.PidMode = "container:other", "container:other"
	})
	if h := w.record(id).Host; string(h.NetworkMode) != "container:"+other || string(h.PidMode) != "container:"+other {
		t.Errorf("what is shared is kept as %q, %q, not by its ID", h.NetworkMode, h.PidMode)
	}
	err := w.ContainerStart(ctx, id)
	wantKind(t, err, errdefs.KindConflict, "cannot join network of a non running container: "+other)
	if err := w.ContainerStart(ctx, other); err != nil {
		t.Fatal(err)
	}
	if err := w.ContainerStart(ctx, id); err != nil {
		t.Fatal(err)
	}
	in := w.rt.input(id)
	if !strings.HasSuffix(in.NetNS, "/ns/net") || !strings.HasSuffix(in.PidNS, "/ns/pid") {
		t.Errorf("namespaces %q %q", in.NetNS, in.PidNS)
	}
	ipc := w.create("ipc", func(r *container.CreateRequest) { r.HostConfig.IpcMode = "container:other" })
	if err := w.ContainerStart(ctx, ipc); err == nil || !strings.Contains(err.Error(), "non-shareable IPC") {
		t.Errorf("a private IPC namespace is shared: %v", err)
	}
}

func TestWithSystemdAContainerIsAScopeOfASlice(t *testing.T) {
	w := newWorld(t)
	w.Defaults.Cgroups.Driver = runtime.SystemdDriver
	id := w.run("web", func(r *container.CreateRequest) { r.HostConfig.CgroupParent = "jobs.slice" })
	if in := w.rt.input(id); in.CgroupPath != "jobs.slice:berth:"+id || !in.Systemd {
		t.Errorf("cgroup %q, systemd %v", in.CgroupPath, in.Systemd)
	}
	req := request()
	req.HostConfig.CgroupParent = "/jobs"
	_, err := w.ContainerCreate(t.Context(), "other", nil, req)
	if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), "should be a valid slice") {
		t.Errorf("a parent that is not a slice: %v", err)
	}
}
