package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/paths"
	"github.com/berthhq/berth/test/coverage/record"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// World is one engine on a state directory of its own, with a client and a registry. When the test ends it is stopped
// and what it left is an error.
type World struct {
	*testing.T
	Layout   paths.Layout
	API      *client.Client
	Registry *Registry
	Log      *Buffer  // what the engine says
	Args     []string // further ones of berth-engine

	engine *process        // shared by all parts
	before map[string]bool // what there was that could be taken for left behind
}

// process is the engine's, started perhaps several times in a row.
type process struct {
	cmd  *exec.Cmd     // nil before the first start
	done chan struct{} // closed when cmd has ended
}

// Part is a subtest with the same engine.
func (w *World) Part(name string, do func(*World)) {
	w.Helper()
	w.T.Run(name, func(t *testing.T) {
		part := *w
		part.T = t
		do(&part)
	})
}

// New starts an engine that has the image busybox, as "bb".
func New(t *testing.T) *World {
	t.Helper()
	return NewAt(t, StateDir(t))
}

// NewAt is New on a state directory of the test's choice, which need not exist.
func NewAt(t *testing.T, root string) *World {
	t.Helper()
	w := Empty(t, root)
	w.Registry = NewRegistry(t, nil)
	w.Start()
	w.Take("bb", Busybox(t))
	return w
}

// Empty makes a world on a state directory without starting its engine.
func Empty(t *testing.T, root string) *World {
	t.Helper()
	if os.Getenv(envStage) != stageTests {
		t.Skip("not in the namespaces of a test")
	}
	if list, err := os.ReadFile("/proc/filesystems"); err == nil && os.Getenv(EnvStorageDriver) == "erofs" && !strings.Contains(string(list), "\terofs\n") {
		t.Skip("this kernel has no EROFS")
	}
	watchSources()
	record.Begin()
	w := &World{T: t, Layout: paths.For(root), Log: &Buffer{}, engine: &process{}}
	var err error
	w.API, err = client.New(record.Options(w.Layout.Socket())...)
	w.Must(err)
	w.before = map[string]bool{}
	for _, l := range w.leftovers() {
		w.before[l] = true
	}
	t.Cleanup(w.end)
	return w
}

// Must ends the test at an error.
func (w *World) Must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Start runs the engine until it answers.
func (w *World) Start() {
	w.Helper()
	w.Must(w.Spawn())
	if err := w.answers(60 * time.Second); err != nil {
		w.Fatalf("the engine does not answer: %v\n%s", err, w.Log.String())
	}
}

// EnvStorageDriver is what engines of tests keep layers as, where a test does not choose it; "" is the default.
const EnvStorageDriver = "BERTH_TEST_STORAGE_DRIVER"

const argDriver = "--storage-driver="

func isDriver(arg string) bool { return strings.HasPrefix(arg, argDriver) }

// Engine is the command that runs an engine on a state directory.
func Engine(root string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(Bin(), "berth-engine"))
	cmd.Env = append(os.Environ(), paths.EnvRoot+"="+root)
	return cmd
}

// Spawn runs the engine and waits for nothing.
func (w *World) Spawn() error {
	w.engine.cmd = Engine(w.Layout.Root)
	w.engine.cmd.Args = append(w.engine.cmd.Args, w.Args...)
	if driver := os.Getenv(EnvStorageDriver); driver != "" && !slices.ContainsFunc(w.Args, isDriver) {
		w.engine.cmd.Args = append(w.engine.cmd.Args, argDriver+driver)
	}
	w.engine.cmd.Stdout, w.engine.cmd.Stderr = w.Log, w.Log
	if err := w.engine.cmd.Start(); err != nil {
		return err
	}
	w.engine.done = make(chan struct{})
	go func(c *exec.Cmd, done chan struct{}) { c.Wait(); close(done) }(w.engine.cmd, w.engine.done)
	return nil
}

func (w *World) answers(patience time.Duration) error {
	err := errors.New("no time to ask")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case <-w.engine.done:
			return os.ErrProcessDone
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_, err = w.API.Ping(ctx, client.PingOptions{})
		cancel()
		if err == nil {
			return nil
		}
	}
	return err
}

// Signal sends the engine a signal and waits for its end.
func (w *World) Signal(s unix.Signal) {
	w.Helper()
	if w.engine.cmd == nil {
		return
	}
	w.engine.cmd.Process.Signal(s)
	if !w.Ended(60 * time.Second) {
		w.engine.cmd.Process.Signal(unix.SIGQUIT) // its goroutines land in its log
		w.Ended(5 * time.Second)
		w.Errorf("the engine did not end at %s\n%s", unix.SignalName(s), w.Log.String())
		w.engine.cmd.Process.Kill()
		<-w.engine.done
	}
}

// Ended waits until the engine has ended, at most so long.
func (w *World) Ended(patience time.Duration) bool {
	select {
	case <-w.engine.done:
		return true
	default:
	}
	select {
	case <-w.engine.done:
		return true
	case <-time.After(patience):
		return false
	}
}

// Pid is the engine's.
func (w *World) Pid() int { return w.engine.cmd.Process.Pid }

// end removes the containers, stops everything and looks for what is left.
func (w *World) end() {
	if w.Failed() {
		w.Logf("the engine's log:\n%s", tail(w.Log.String()))
		if b, err := os.ReadFile(w.Layout.SupervisorLog()); err == nil && len(b) > 0 {
			w.Logf("the supervisor's log:\n%s", tail(string(b)))
		}
	}
	if w.engine.cmd != nil && !w.Ended(0) {
		w.removeAll()
		w.Signal(unix.SIGTERM)
	}
	w.API.Close()
	for _, p := range Processes() {
		unix.Kill(p.Pid, unix.SIGTERM)
	}
	w.checkNothingLeft()
	w.dropBridges()
}

// Eventually waits until a condition holds, far longer than a busy machine needs.
func (w *World) Eventually(what string, cond func() bool) {
	w.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if cond() {
			return
		}
	}
	w.Fatalf("still not so after a minute: %s", what)
}

// Buffer collects the output of several processes.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (l *Buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *Buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func tail(s string) string { return s[max(0, len(s)-6000):] }
