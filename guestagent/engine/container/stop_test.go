//go:build linux

package container

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	apinet "github.com/moby/moby/api/types/network"
)

func TestStop(t *testing.T) {
	zero := 0
	for name, tc := range map[string]struct {
		deaf    bool
		timeout *int
		code    int
		kills   int
	}{
		"it obeys":                       {code: 143, kills: 1},
		"it does not":                    {deaf: true, timeout: &zero, code: 137, kills: 2},
		"it obeys and no time was given": {timeout: &zero, code: 143, kills: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rt.set(func(f *fakeRuntime) { f.deaf = tc.deaf })
			id := w.run("web", restarts("always", 0))
			if err := w.ContainerStop(context.Background(), "web", "", tc.timeout); err != nil {
				t.Fatal(err)
			}
			r := w.record(id)
			if r.State.Status != container.StateExited || r.State.ExitCode != tc.code || !r.Stopped {
				t.Errorf("state %+v", r.State)
			}
			if n := w.bus.count("kill"); tc.timeout == nil && n != tc.kills {
				t.Errorf("%d signals", n)
			}
			if w.nets.attached() != 0 || w.rt.known() != 0 {
				t.Error("stopped, and it still holds something")
			}
			wantKind(t, w.ContainerStop(context.Background(), "web", "", nil), errdefs.KindNotModified, "container web is already stopped")
		})
	}
}

func TestStopTimesAndSignals(t *testing.T) {
	own, asked := 3, -1
	plain := &Record{Config: &container.Config{}}
	set := &Record{Config: &container.Config{StopTimeout: &own, StopSignal: "SIGINT"}}
	for _, tc := range []struct {
		r      *Record
		asked  *int
		engine int
		want   time.Duration
	}{
		{plain, nil, 0, 10 * time.Second}, {plain, nil, 4, 4 * time.Second}, {set, nil, 4, 3 * time.Second}, {set, &asked, 4, -time.Second},
	} {
		if got := stopTimeout(tc.r, tc.asked, tc.engine); got != tc.want {
			t.Errorf("%v, want %v", got, tc.want)
		}
	}
	for _, got := range [][2]string{{stopSignal(plain, ""), "SIGTERM"}, {stopSignal(set, ""), "SIGINT"}, {stopSignal(set, "HUP"), "HUP"}} {
		if got[0] != got[1] {
			t.Errorf("signal %s, want %s", got[0], got[1])
		}
	}
}

func TestKill(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	id := w.run("web")
	wantKind(t, w.ContainerKill(ctx, "web", "SIGNOTHING"), errdefs.KindInvalid, "invalid signal: SIGNOTHING")
	if err := w.ContainerKill(ctx, "web", "USR1"); err != nil || w.record(id).State.Status != container.StateRunning {
		t.Errorf("after a harmless signal: %v", err)
	}
	if err := w.ContainerKill(ctx, "web", ""); err != nil {
		t.Fatal(err)
	}
	if r := w.record(id); r.State.ExitCode != 137 || r.State.running() {
		t.Errorf("state %+v", r.State)
	}
	wantKind(t, w.ContainerKill(ctx, "web", ""), errdefs.KindConflict, "cannot kill container: web: container "+id+" is not running")
	got := slices.DeleteFunc(w.bus.actions(), func(a string) bool { return a != "kill" && a != "die" })
	if !slices.Equal(got, []string{"kill", "kill", "die"}) && !slices.Equal(got, []string{"kill", "die", "kill"}) {
		t.Errorf("events %v", got)
	}
}

func TestPause(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	id := w.run("web")
	wantKind(t, w.ContainerUnpause(ctx, "web"), errdefs.KindUnknown, "Container "+id+" is not paused")
	if err := w.ContainerPause(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.ContainerPause(ctx, "web"), errdefs.KindConflict, "Container "+id+" is already paused")
	wantKind(t, w.ContainerStart(ctx, "web"), errdefs.KindConflict, "cannot start a paused container, try unpause instead")
	_, err := w.ExecCreate(ctx, "web", &container.ExecCreateRequest{Cmd: []string{"sh"}})
	wantKind(t, err, errdefs.KindConflict, "Container web is paused, unpause the container before exec")
	if err := w.ContainerStop(ctx, "web", "", nil); err != nil { // a paused container can be stopped
		t.Fatal(err)
	}
	wantKind(t, w.ContainerPause(ctx, "web"), errdefs.KindConflict, "container "+id+" is not running")
}

func TestRestartKeepsAContainerOfRm(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", autoRemove)
	before := w.record(id).State.Pid
	for range 5 {
		if err := w.ContainerRestart(context.Background(), "web", "", nil); err != nil {
			t.Fatal(err)
		}
	}
	r := w.record(id)
	if !r.State.running() || r.State.Pid == before || r.Stopped {
		t.Errorf("state %+v", r.State)
	}
	if w.rt.known() != 1 || w.nets.attached() != 1 {
		t.Errorf("%d processes and %d networks", w.rt.known(), w.nets.attached())
	}
	w.rt.exit(id, 0)
	w.vanishes(id)
}

func TestAnEndToldTwiceIsHandledOnce(t *testing.T) {
	w := newWorld(t)
	w.vols.Create(context.Background(), volumeOf("data"))
	id := w.run("web", func(r *container.CreateRequest) { r.HostConfig.Binds = []string{"data:/data:nocopy"} })
	e, err := w.find(id)
	if err != nil {
		t.Fatal(err)
	}
	w.rt.set(func(f *fakeRuntime) { f.procs[id].Status = "exited" })
	st := *w.rt.procs[id]
	done := make(chan struct{})
	for range 8 {
		go func() { w.ended(e, &st); done <- struct{}{} }()
	}
	for range 8 {
		<-done
	}
	if n := w.bus.count("die"); n != 1 {
		t.Errorf("died %d times", n)
	}
	if n := w.vols.mounted(); n != 0 {
		t.Errorf("volume mounted %d times", n)
	}
}

func TestRemovalOfWhatRuns(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	id := w.run("web")
	err := w.ContainerRemove(ctx, "web", false, false, false)
	wantKind(t, err, errdefs.KindConflict, `cannot remove container "web": container is running: stop the container before removing or force remove`)
	if err := w.ContainerPause(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	err = w.ContainerRemove(ctx, "web", false, false, false)
	wantKind(t, err, errdefs.KindConflict, `cannot remove container "web": container is paused and must be unpaused first`)
	if err := w.ContainerRemove(ctx, "web", true, false, false); err != nil {
		t.Fatal(err)
	}
	w.vanishes(id)
	if w.nets.attached() != 0 || w.rt.known() != 0 || w.imgs.held() != 0 {
		t.Error("something of it is left")
	}
	w.create("web") // its name is free
}

func TestOnlyOneRemovalWins(t *testing.T) {
	w := newWorld(t)
	w.run("web")
	errs := make(chan error, 10)
	for range 10 {
		go func() { errs <- w.ContainerRemove(context.Background(), "web", true, false, false) }()
	}
	won := 0
	for range 10 {
		if err := <-errs; err == nil {
			won++
		} else if errdefs.KindOf(err) != errdefs.KindNotFound || !strings.HasPrefix(err.Error(), "No such container: ") {
			t.Errorf("error %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d removals of one container", won)
	}
}

func TestPrune(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	w.run("on")
	labelled := w.create("kept", func(r *container.CreateRequest) { r.Labels = map[string]string{"keep": "yes"} })
	off := w.create("off")
	got, err := w.ContainerPrune(ctx, map[string]map[string]bool{"label!": {"keep": true}})
	if err != nil || !slices.Equal(got.ContainersDeleted, []string{off}) || got.SpaceReclaimed != 100 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = w.ContainerPrune(ctx, map[string]map[string]bool{"colour": {"red": true}})
	wantKind(t, err, errdefs.KindInvalid, "invalid filter 'colour'")
	if got, err = w.ContainerPrune(ctx, map[string]map[string]bool{"until": {"1h": true}}); err != nil || len(got.ContainersDeleted) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = w.ContainerPrune(ctx, nil); err != nil || !slices.Equal(got.ContainersDeleted, []string{labelled}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestInspectWaitsForARestart(t *testing.T) {
	w := newWorld(t)
	id := w.run("web")
	e, err := w.find(id)
	if err != nil {
		t.Fatal(err)
	}
	e.setAgain(true)
	w.rt.exit(id, 0)
	if _, err := e.until(context.Background(), func() bool { return !e.rec.State.running() }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.ContainerInspect(ctx, id, false); err == nil {
		t.Error("an inspect between end and start answered")
	}
	e.setAgain(false)
	if got, err := w.ContainerInspect(context.Background(), id, false); err != nil || got.State.Running {
		t.Errorf("after it: %v, %+v", err, got)
	}
}

func TestANetworkTakenAndGivenBackBeforeTheStart(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	id := w.create("web", func(r *container.CreateRequest) { r.HostConfig.NetworkMode = "front" })
	if err := w.NetworkDisconnect(ctx, "front", "front-id", &apinet.DisconnectRequest{Container: id}); err != nil {
		t.Fatal(err)
	}
	if err := w.NetworkConnect(ctx, "front", "front-id", &apinet.ConnectRequest{Container: id}); err != nil {
		t.Fatal(err)
	}
	if r := w.record(id); r.Host.NetworkMode != "front" || len(r.Networks) != 1 || r.Networks["front"] == nil {
		t.Errorf("mode %s, networks %v", r.Host.NetworkMode, r.Networks)
	}
}
