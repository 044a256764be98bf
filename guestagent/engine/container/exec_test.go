//go:build linux

package container

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
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

// A user that the container's passwd file lacks is refused when the execution is made, not told as its output.
func TestExecOfAnUnknownUserIsRefused(t *testing.T) {
	w := newWorld(t)
	w.rt.set(func(f *fakeRuntime) { f.pid = os.Getpid() - 1 }) // the files are then this machine's
	w.run("web")
	for user, want := range map[string]string{
		"no-such-user":   "unable to find user no-such-user: no matching entries in passwd file",
		"no-such-user:1": "unable to find user no-such-user: no matching entries in passwd file",
		"1:no-such-one":  "unable to find group no-such-one: no matching entries in group file",
		"root:0":         "",
		"12345":          "",
	} {
		_, err := w.ExecCreate(context.Background(), "web", &container.ExecCreateRequest{Cmd: []string{"true"}, User: user})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", user, err)
		case want != "" && (err == nil || errdefs.KindOf(err) != errdefs.KindInvalid || !strings.HasSuffix(err.Error(), want)):
			t.Errorf("%s: %v, want %s", user, err, want)
		}
	}
}
