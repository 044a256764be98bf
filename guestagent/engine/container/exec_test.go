//go:build linux

package container

import (
	"context"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/moby/api/types/container"
)

// A client whose streams closed asks for the exit code before the engine has heard of the end.
func TestExecInspectDoesNotWaitForTheEvent(t *testing.T) {
	w := newWorld(t)
	w.rt.set(func(f *fakeRuntime) {
		f.exec = func([]string) (int, string, bool, error) { return 0, "", true, nil } // no event ever comes
		f.execs = map[string]proto.State{}
	})
	w.run("web")
	ctx := context.Background()
	id, err := w.ExecCreate(ctx, "web", &container.ExecCreateRequest{Cmd: []string{"false"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ExecStart(ctx, id, &container.ExecStartRequest{Detach: true}, nil); err != nil {
		t.Fatal(err)
	}
	if st, err := w.ExecInspect(ctx, id); err != nil || !st.Running || st.ExitCode != nil {
		t.Errorf("while it runs: %+v, %v", st, err)
	}
	w.rt.set(func(f *fakeRuntime) { f.execs[id] = proto.State{ExecID: id, Status: proto.StatusExited, ExitCode: 3} })
	if st, err := w.ExecInspect(ctx, id); err != nil || st.Running || st.ExitCode == nil || *st.ExitCode != 3 {
		t.Errorf("after its end: %+v, %v", st, err)
	}
}
