package stories

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine"
	"github.com/berthhq/berth/guestagent/engine/config"
	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/client"
)

// vanishing is how many clients leave in the middle.
const vanishing = 1000

// A thousand clients that stall in every kind of long or half-sent request, and then are gone: the engine answers others
// meanwhile, and keeps no goroutine, no descriptor and no memory of them; nor does the supervisor, which has the hijacked
// ones. The engine runs in the test's own process, to be looked into.
func TestClientsThatVanishLeaveNothing(t *testing.T) {
	w := harness.Empty(t, harness.StateDir(t))
	w.Registry = harness.NewRegistry(t, nil)
	stop := serveHere(w)
	defer stop()
	w.Take("bb", harness.Busybox(t))
	id := w.Run(harness.Spec{Name: "web", Cmd: []string{"sh", "-c", "echo begun; exec cat"}, Opts: func(o *client.ContainerCreateOptions) { o.Config.OpenStdin = true }})
	defer w.Remove(id)
	w.Eventually("it has begun", func() bool { out, _ := w.Logs(id); return out == "begun\n" })
	for _, k := range requests(w, id) { // what is made once is made
		for range 3 {
			k.begin(w).Close()
		}
	}
	before := settled(w, usage{})
	var open []net.Conn
	kinds := requests(w, id)
	for i := range vanishing {
		open = append(open, kinds[i%len(kinds)].begin(w))
	}
	during := measure(w)
	if during.goroutines < before.goroutines+vanishing/2 {
		t.Errorf("%d goroutines with %d clients after %d without: they are not served at once", during.goroutines, vanishing, before.goroutines)
	}
	began := time.Now()
	w.Inspect(id)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("another client waited %v", took)
	}
	for _, c := range open {
		c.Close()
	}
	if after := settled(w, before); !after.like(before) {
		buf := make([]byte, 1<<20)
		t.Errorf("before %+v, with %d clients %+v, after %+v\n%s", before, vanishing, during, after, buf[:runtime.Stack(buf, true)])
	}
	if !w.Inspect(id).State.Running {
		t.Error("the container has ended with its clients")
	}
}

// serveHere runs an engine in this process.
func serveHere(w *harness.World) (stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e, err := engine.New(ctx, engine.Options{Layout: w.Layout, Config: &config.Config{}, BinDir: harness.Bin(), Log: slog.New(slog.NewTextHandler(w.Log, nil))})
	w.Must(err)
	l, err := net.Listen("unix", w.Layout.Socket())
	w.Must(err)
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx, l) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("serving: %v", err)
		}
		if err := e.Close(); err != nil {
			w.Errorf("closing the engine: %v", err)
		}
	}
}

// request is one that a client does not finish.
type request struct {
	text func() string
	// answer is how the answer begins that is waited for, "" where there is none yet.
	answer string
}

func (r request) begin(w *harness.World) net.Conn {
	w.Helper()
	conn, err := net.Dial("unix", w.Layout.Socket())
	w.Must(err)
	_, err = io.WriteString(conn, r.text())
	w.Must(err)
	if r.answer == "" {
		return conn
	}
	w.Must(conn.SetReadDeadline(time.Now().Add(60 * time.Second)))
	line, err := bufio.NewReaderSize(conn, 16).ReadSlice('\n') // the rest stays unread, as with a client that stalls
	if !strings.HasPrefix(string(line), r.answer) {
		w.Fatalf("%q: answered %q, %v", r.text(), line, err)
	}
	return conn
}

func requests(w *harness.World, id string) []request {
	plain := func(text string) func() string {
		return func() string { return strings.ReplaceAll(text, "\n", "\r\n") }
	}
	const upgrade = " HTTP/1.1\nHost: b\nConnection: Upgrade\nUpgrade: tcp\nContent-Type: application/json\n"
	execStart := func() string {
		e, err := w.API.ExecCreate(w.Ctx(), id, client.ExecCreateOptions{Cmd: []string{"cat"}, AttachStdin: true, AttachStdout: true})
		w.Must(err)
		return plain("POST /exec/" + e.ID + "/start" + upgrade + "Content-Length: 2\n\n{}")()
	}
	half := "Transfer-Encoding: chunked\n\n200\n" + strings.Repeat("x", 100)
	return []request{
		{plain("POST /containers/web/attach?stream=1&stdout=1" + upgrade + "\n"), "HTTP/1.1 101"},
		{execStart, "HTTP/1.1 101"},
		{plain("GET /containers/web/logs?stdout=1&follow=1 HTTP/1.1\nHost: b\n\n"), "HTTP/1.1 200"},
		{plain("GET /events HTTP/1.1\nHost: b\n\n"), "HTTP/1.1 200"},
		{plain("GET /containers/web/stats HTTP/1.1\nHost: b\n\n"), "HTTP/1.1 200"},
		{plain("POST /containers/web/wait HTTP/1.1\nHost: b\n\n"), "HTTP/1.1 200"},
		{plain("PUT /containers/web/archive?path=/tmp HTTP/1.1\nHost: b\nContent-Type: application/x-tar\n" + half), ""},
		{plain("POST /build?t=x HTTP/1.1\nHost: b\nContent-Type: application/x-tar\n" + half), ""},
		{plain("POST /images/load HTTP/1.1\nHost: b\nContent-Type: application/x-tar\n" + half), ""},
		{plain("POST /containers/create HTTP/1.1\nHost: b\nContent-Type: application/json\nContent-Length: 100\n\n{\"Image\":"), ""},
		{plain("GET /containers/json HTTP/1.1\nHost: b\nX-Half"), ""},
		{plain("POST /session" + strings.Replace(upgrade, "tcp", "h2c", 1) + "X-Docker-Expose-Session-Uuid: u\n\n"), "HTTP/1.1 101"},
	}
}

// usage is what an engine holds.
type usage struct {
	goroutines, files, supervisor int
	heap                          uint64
}

// like allows for what the engine does by itself: connections kept alive, timers, pools.
func (u usage) like(before usage) bool {
	const slack = 12
	return u.goroutines <= before.goroutines+slack && u.files <= before.files+slack && u.supervisor <= before.supervisor+slack &&
		u.heap <= before.heap+8<<20
}

func measure(w *harness.World) usage {
	w.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{goroutines: runtime.NumGoroutine(), files: descriptors(os.Getpid()), heap: m.HeapInuse}
	for _, p := range harness.Processes() {
		if filepath.Base(p.Exe) == "berth-supervisor" {
			u.supervisor += descriptors(p.Pid)
		}
	}
	return u
}

func descriptors(pid int) int {
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)) // none of one that has ended
	return len(list)
}

// settled measures when nothing changes any more, or when it is as before.
func settled(w *harness.World, before usage) (u usage) {
	w.Helper()
	last := usage{}
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		u = measure(w)
		if before.goroutines > 0 && u.like(before) {
			return u
		}
		if before.goroutines == 0 && u.goroutines == last.goroutines && u.files == last.files && u.supervisor == last.supervisor {
			return u
		}
		last = u
	}
	return u
}
