package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// rooted moves all state to a short directory and gives the default machine in it.
func rooted(t *testing.T) paths.Machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "ep")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv(paths.EnvRoot, dir)
	m := paths.MachineNamed(paths.DefaultMachine, os.Getenv)
	if err := os.MkdirAll(filepath.Dir(m.DockerSocket()), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

// What a Mac does when nothing is said: the first connection starts the machine, those beside it wait for it.
func TestTheFirstConnectionStartsTheMachine(t *testing.T) {
	m := rooted(t)
	e, err := resolve("darwin", Query{Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	var starts atomic.Int32
	d := &Dialer{Endpoint: e, startMachine: func(_ context.Context, got paths.Machine, _ io.Writer) error {
		starts.Add(1)
		if got != m {
			t.Errorf("started %+v", got)
		}
		serve(t, m.DockerSocket())
		return nil
	}}
	dialAtOnce(t, d, 4)
	if n := starts.Load(); n != 1 {
		t.Errorf("%d starts", n)
	}
}

func TestAMachineThatDoesNotStartSaysWhy(t *testing.T) {
	rooted(t)
	e, err := resolve("darwin", Query{Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("no hypervisor")
	d := &Dialer{Endpoint: e, startMachine: func(context.Context, paths.Machine, io.Writer) error { return why }}
	if _, err := d.Dial(t.Context()); !errors.Is(err, why) {
		t.Error(err)
	}
	d.NoStart = true // completion
	if _, err := d.Dial(t.Context()); errdefs.KindOf(err) != errdefs.KindUnavailable || !strings.Contains(errdefs.HintOf(err), "berth machine doctor") {
		t.Errorf("%v (%s)", err, errdefs.HintOf(err))
	}
}

// A boot is told step by step, and ends with the host agent's own error and advice.
func TestABootIsTold(t *testing.T) {
	m := rooted(t)
	l, err := net.Listen("unix", m.AgentSocket())
	if err != nil {
		t.Fatal(err)
	}
	answer := `{"text":"starting the machine"}{"text":"waiting for the engine"}{"machine":{"name":"default"}}`
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/machine/start" {
			t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		fmt.Fprint(w, answer)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	var said bytes.Buffer
	if err := startMachine(t.Context(), m, &said); err != nil {
		t.Fatal(err)
	}
	if want := "berth: machine default: starting the machine\nberth: machine default: waiting for the engine\n"; said.String() != want {
		t.Errorf("said %q", said.String())
	}
	answer = `{"text":"starting the machine"}{"error":{"message":"machine default: no hypervisor","hint":"Turn it on."}}`
	if err := startMachine(t.Context(), m, nil); err == nil || err.Error() != "machine default: no hypervisor" || errdefs.HintOf(err) != "Turn it on." {
		t.Errorf("%v (%s)", err, errdefs.HintOf(err))
	}
}
