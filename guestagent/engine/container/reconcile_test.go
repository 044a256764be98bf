//go:build linux

package container

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/volume"
)

func volumeOf(name string) *volume.CreateRequest { return &volume.CreateRequest{Name: name} }

func TestContainersOutliveTheEngine(t *testing.T) {
	w := newWorld(t)
	w.vols.Create(context.Background(), volumeOf("data"))
	id := w.run("web", func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"data:/data:nocopy"} })
	pid := w.record(id).State.Pid
	w.reboot(func() { w.vols.users["data"] = nil; w.vols.mounts["data"] = 0 }) // what package volume has in memory
	r := w.record("web")
	if r.State.Status != container.StateRunning || r.State.Pid != pid || w.nets.attached() != 1 || w.rt.started() != 1 {
		t.Errorf("state %+v, %d networks", r.State, w.nets.attached())
	}
	if err := w.vols.Remove(context.Background(), "data", false); errdefs.KindOf(err) != errdefs.KindConflict {
		t.Errorf("its volume can be removed: %v", err)
	}
	w.rt.exit(id, 4)
	w.reaches("web", container.StateExited)
	if n := w.vols.mounted(); n != 0 || w.record(id).State.ExitCode != 4 {
		t.Errorf("volume mounted %d times, code %d", n, w.record(id).State.ExitCode)
	}
}

func TestWhatEndedWhileTheEngineWasAway(t *testing.T) {
	w := newWorld(t)
	kept, rm, lost := w.run("kept"), w.run("rm", autoRemove), w.run("lost")
	w.reboot(func() {
		w.rt.exit(kept, 42)
		w.rt.exit(rm, 0)
		delete(w.rt.procs, lost) // the supervisor died as well
	})
	w.reaches("kept", container.StateExited)
	w.reaches("lost", container.StateExited)
	w.vanishes(rm)
	if c := w.record(kept).State.ExitCode; c != 42 {
		t.Errorf("code %d", c)
	}
	if c := w.record(lost).State.ExitCode; c != 255 {
		t.Errorf("code of an end that nobody saw: %d", c)
	}
	w.eventually("nothing is held", func() bool { return w.nets.attached() == 0 && w.rt.known() == 0 })
}

// A snapshot may be older than the end that is recorded: who asks is told the code that the end had.
func TestASnapshotOlderThanTheEnd(t *testing.T) {
	w := newWorld(t)
	id := w.run("web")
	old := *w.rt.procs[id]
	w.rt.exit(id, 3)
	w.reaches("web", container.StateExited)
	w.eventually("it is released", func() bool { return w.rt.known() == 0 })
	ended := old
	ended.Status, ended.ExitCode = proto.StatusExited, 3
	w.reconcile([]proto.State{ended}, false)
	w.reconcile([]proto.State{old}, false)
	w.reconcile(nil, false)
	if st := w.record(id).State; st.Status != container.StateExited || st.ExitCode != 3 {
		t.Errorf("state %+v", st)
	}
}

// The supervisor dies when it has started the container, and before it says so.
func TestAStartThatIsNotAnswered(t *testing.T) {
	w := newWorld(t)
	w.rt.set(func(f *fakeRuntime) { f.mute = true })
	id := w.run("web")
	if st := w.record(id).State; st.Status != container.StateRunning || st.Pid == 0 || w.nets.attached() != 1 {
		t.Errorf("state %+v, %d networks", st, w.nets.attached())
	}
	w.rt.set(func(f *fakeRuntime) { f.quick = true })
	quick := w.run("quick")
	w.reaches("quick", container.StateExited)
	w.rt.exit(id, 4)
	w.reaches("web", container.StateExited)
	if a, b := w.record(quick).State.ExitCode, w.record(id).State.ExitCode; a != 0 || b != 4 {
		t.Errorf("exit codes %d, %d", a, b)
	}
}

func TestPoliciesWhenTheEngineStarts(t *testing.T) {
	w := newWorld(t)
	ids := map[string]string{}
	for name, policy := range map[string]container.RestartPolicyMode{"always": "always", "unless": "unless-stopped", "never": "no", "halted": "unless-stopped"} {
		ids[name] = w.run(name, restarts(policy, 0))
	}
	for _, name := range []string{"always", "halted"} {
		if err := w.ContainerStop(context.Background(), name, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	w.reboot(func() { w.rt.set(func(f *fakeRuntime) { clear(f.procs) }) }) // the machine was started again
	for name, want := range map[string]container.ContainerState{
		"always": "running", "unless": "running", "never": "exited", "halted": "exited",
	} {
		w.reaches(ids[name], want)
	}
}

// The machine's shutdown ends containers without a word from a person: policies start them when it is back.
func TestPoliciesAfterAShutdown(t *testing.T) {
	w := newWorld(t)
	ids := map[string]string{}
	for name, policy := range map[string]container.RestartPolicyMode{"always": "always", "unless": "unless-stopped", "never": "no", "failing": "on-failure", "halted": "on-failure"} {
		ids[name] = w.run(name, restarts(policy, 0))
	}
	if err := w.ContainerStop(context.Background(), "halted", "", nil); err != nil {
		t.Fatal(err)
	}
	gone := w.run("gone", autoRemove)
	w.Shutdown(context.Background())
	for name, id := range ids {
		if r := w.record(id); r.State.Status != container.StateExited || r.State.ExitCode != 143 || r.Stopped != (name == "halted") {
			t.Errorf("%s was left %s, code %d, stopped %v", name, r.State.Status, r.State.ExitCode, r.Stopped)
		}
	}
	w.vanishes(gone)
	if n := w.rt.known(); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	w.reboot(func() {})
	for name, want := range map[string]container.ContainerState{
		"always": "running", "unless": "running", "failing": "running", "never": "exited", "halted": "exited",
	} {
		w.reaches(ids[name], want)
	}
}

func TestARecordBehindTheTruthIsMended(t *testing.T) {
	w := newWorld(t)
	id := w.create("web")
	w.reboot(func() { // killed between the start and the record of it
		w.rt.procs[id] = &proto.State{ID: id, Pid: 55, Status: proto.StatusRunning}
	})
	if st := w.record(id).State; st.Status != container.StateRunning || st.Pid != 55 {
		t.Errorf("state %+v", st)
	}
}

func TestRemovalsAndCreationsThatWereCutShort(t *testing.T) {
	w := newWorld(t)
	doomed := w.create("doomed", func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"/scratch"} })
	keeps := w.create("keeps", func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"/scratch"} })
	before := len(w.vols.names())
	store := w.deps.Durable.(*fakeStore)
	stray := w.Layout.Container("0123stray")
	w.reboot(func() {
		r := store.recs[doomed]
		r.Doomed, r.DoomedVolumes = true, true // rm -v
		store.recs[doomed] = r
		r = store.recs[keeps]
		r.Doomed = true // rm
		store.recs[keeps] = r
		if err := os.MkdirAll(stray, 0o700); err != nil {
			t.Fatal(err)
		}
	})
	w.vanishes(doomed)
	w.vanishes(keeps)
	w.eventually("records and directories go", func() bool {
		_, err := os.Stat(stray)
		all, _ := store.All()
		return os.IsNotExist(err) && len(all) == 0
	})
	if got := len(w.vols.names()); got != before-1 {
		t.Errorf("%d of %d volumes are left, want one less", got, before)
	}
}

func TestAProcessOfNoContainerIsEnded(t *testing.T) {
	w := newWorld(t)
	w.reboot(func() { w.rt.procs["ghost"] = &proto.State{ID: "ghost", Pid: 9, Status: proto.StatusRunning} })
	w.eventually("the ghost is gone", func() bool { return w.rt.known() == 0 })
}

func TestASupervisorThatComesBackTellsOfNothingTwice(t *testing.T) {
	w := newWorld(t)
	id := w.run("web")
	var list []proto.State
	w.rt.set(func(f *fakeRuntime) { list = []proto.State{*f.procs[id]} })
	for range 3 {
		w.reconcile(list, false)
	}
	if r := w.record(id); !r.State.running() || w.bus.count("die") != 0 {
		t.Errorf("state %+v", r.State)
	}
	w.rt.set(func(f *fakeRuntime) { delete(f.procs, id) })
	w.reconcile(nil, false) // it knows of nothing: its containers died with it
	w.reaches(id, container.StateExited)
}

func TestACreationThatFailsLeavesNothing(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	w.vols.fail = errdefs.System("disk full")
	if err := os.MkdirAll(w.imgs.root+"/data", 0o755); err != nil {
		t.Fatal(err)
	}
	req := request(func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"/data"} })
	if _, err := w.ContainerCreate(ctx, "web", nil, req); err == nil {
		t.Fatal("created")
	}
	all, _ := w.deps.Durable.All()
	dirs, _ := os.ReadDir(w.Layout.Containers())
	if len(all)+len(dirs)+len(w.vols.names())+w.imgs.held() != 0 {
		t.Errorf("left: records %v, directories %v, volumes %v, layers %d", all, dirs, w.vols.names(), w.imgs.held())
	}
	w.vols.fail = nil
	w.create("web")
	_, err := w.ContainerCreate(ctx, "other", nil, request(func(r *container.CreateRequest) { r.Image = "missing" }))
	wantKind(t, err, errdefs.KindNotFound, "No such image: missing:latest")
}

// A snapshot that was made before a start, and is read after it, is no reason to believe that the container has ended.
func TestAnOldSnapshotEndsNothing(t *testing.T) {
	w := newWorld(t)
	id := w.run("web")
	w.reconcile(nil, false)
	time.Sleep(50 * time.Millisecond)
	if r := w.record(id); r.State.Status != container.StateRunning {
		t.Errorf("state %+v", r.State)
	}
	w.rt.set(func(f *fakeRuntime) { delete(f.procs, id) })
	w.reconcile(nil, false)
	w.reaches(id, container.StateExited)
	if r := w.record(id); r.State.ExitCode != lostCode {
		t.Errorf("exit code %d", r.State.ExitCode)
	}
}
