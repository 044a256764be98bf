//go:build linux

package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func TestPullRunLogsExecStopRemove(t *testing.T) {
	w := newWorld(t)
	img := w.image("busybox")
	if out := w.berth("pull", img); !strings.Contains(out, "Downloaded newer image") {
		t.Errorf("pull said %q", out)
	}
	if out := w.berth("pull", img); !strings.Contains(out, "Image is up to date") {
		t.Errorf("a second pull said %q", out)
	}
	id := w.berth("run", "-d", "--name", "web", img, "sh", "-c", "echo hello; echo oops >&2; sleep 100")
	if len(id) != 64 {
		t.Errorf("id %q", id)
	}
	if out := w.berth("ps", "--format", "{{.Names}} {{.State}}"); out != "web running" {
		t.Errorf("ps said %q", out)
	}
	w.eventually("the log", func() bool {
		_, out, errs := w.try("", "logs", "web")
		return out == "hello\n" && errs == "oops\n"
	})
	if out := w.berth("exec", "-e", "K=v", "web", "sh", "-c", "echo $K; hostname"); out != "v\n"+id[:12] {
		t.Errorf("exec said %q", out)
	}
	w.berth("stop", "-t", "1", "web")
	if out := w.berth("ps", "-a", "--format", "{{.Status}}"); !strings.HasPrefix(out, "Exited (137)") {
		t.Errorf("status %q", out)
	}
	w.berth("rm", "web")
	if out := w.berth("ps", "-aq"); out != "" {
		t.Errorf("left %q", out)
	}
	w.berth("rmi", img)
	if out := w.berth("images", "-q"); out != "" {
		t.Errorf("images %q", out)
	}
}

func TestExitCodes(t *testing.T) {
	w := newWorld(t)
	img := w.image("busybox")
	for name, tc := range map[string]struct {
		args []string
		code int
		text string
	}{
		"the command's":      {[]string{"run", "--rm", img, "sh", "-c", "exit 7"}, 7, ""},
		"not found":          {[]string{"run", "--rm", img, "nothing"}, 127, "executable file not found"},
		"not executable":     {[]string{"run", "--rm", img, "/etc/passwd"}, 126, "permission denied"},
		"a signal":           {[]string{"run", "--rm", "--init", img, "sh", "-c", "kill -9 $$"}, 137, ""},
		"no such image":      {[]string{"run", "--rm", w.image("missing")}, 125, "not found"},
		"bad name":           {[]string{"run", "--name", "!", img}, 125, "Invalid container name"},
		"bad volume":         {[]string{"run", "-v", "/a:relative", img}, 125, "must be absolute"},
		"unknown user":       {[]string{"run", "--rm", "-u", "ghost", img}, 125, "unable to find user ghost"},
		"descriptor as cwd":  {[]string{"run", "--rm", "-w", "/proc/self/fd/7", img, "pwd"}, 125, ""},
		"unknown capability": {[]string{"run", "--cap-add", "FLY", img}, 125, "unknown capability"},
		"too little memory":  {[]string{"run", "-m", "1m", img}, 125, "6MB"},
		"mount over proc":    {[]string{"run", "--rm", "-v", "/tmp:/proc/sys", img}, 125, "inside /proc"},
	} {
		code, out, errs := w.try("", tc.args...)
		if code != tc.code || !strings.Contains(errs, tc.text) {
			t.Errorf("%s: exit code %d, %q, %q", name, code, out, errs)
		}
	}
	if out := w.berth("ps", "-a", "--format", "{{.Names}}"); out != "" {
		t.Errorf("containers are left: %q", out)
	}
}

func TestStandardInput(t *testing.T) {
	w := newWorld(t)
	if _, out, errs := w.try("one\ntwo\n", "run", "-i", "--rm", w.image("busybox"), "wc", "-l"); out != "2\n" {
		t.Errorf("said %q, %q", out, errs)
	}
}

func TestVolumesAndBinds(t *testing.T) {
	w := newWorld(t)
	img := w.image("busybox")
	dir := filepath.Join(w.root, "bind")
	os.Mkdir(dir, 0o755)
	os.WriteFile(filepath.Join(dir, "f"), []byte("host"), 0o644)
	got := w.berth("run", "--rm", "-v", "vol:/data", "-v", dir+":/b:ro", img, "sh", "-c", "cat /data/seed /b/f; echo; echo x > /data/new; touch /b/x 2>/dev/null || echo read-only")
	if got != "from the image\nhost\nread-only" {
		t.Errorf("said %q", got)
	}
	if got := w.berth("run", "--rm", "-v", "vol:/data", img, "cat", "/data/new"); got != "x" {
		t.Errorf("the volume kept %q", got)
	}
	w.berth("run", "--name", "anon", "-v", "/anonymous", img, "true")
	if n := len(strings.Fields(w.berth("volume", "ls", "-q"))); n != 2 {
		t.Errorf("%d volumes", n)
	}
	w.berth("rm", "-v", "anon")
	if out := w.berth("volume", "ls", "-q"); out != "vol" {
		t.Errorf("volumes %q", out)
	}
	w.berth("volume", "rm", "vol")
}

func TestPublishedPortAndNames(t *testing.T) {
	w := newWorld(t)
	img := w.image("busybox")
	w.berth("network", "create", "net1")
	w.berth("run", "-d", "--name", "web", "-p", "18123:80", img, "httpd", "-f", "-p", "80", "-h", "/data")
	w.eventually("the page", func() bool {
		r, err := http.Get("http://127.0.0.1:18123/seed")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return string(b) == "from the image\n"
	})
	if out := w.berth("run", "--rm", "--link", "web:www", img, "wget", "-qO-", "http://www/seed"); out != "from the image" {
		t.Errorf("through a link came %q", out)
	}
	w.berth("run", "-d", "--name", "peer", "--network", "net1", "--network-alias", "other", img, "sleep", "100")
	for _, name := range []string{"peer", "other"} {
		if out := w.berth("run", "--rm", "--network", "net1", img, "ping", "-c1", "-W2", name); !strings.Contains(out, "1 packets received") {
			t.Errorf("%s: %q", name, out)
		}
	}
	code, _, errs := w.try("", "run", "--rm", "-p", "18123:80", img, "true")
	if code != 125 || !strings.Contains(errs, "port is already allocated") {
		t.Errorf("a taken port: exit code %d, %q", code, errs)
	}
	w.berth("rm", "-f", "web", "peer")
	w.berth("network", "rm", "net1")
}

func TestSameNameAndPortAgainAndAgain(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		if code, _, errs := w.try("", "run", "--rm", "--name", "again", "-p", "18124:80", w.image("busybox"), "true"); code != 0 {
			t.Fatalf("run %d: exit code %d: %s", i, code, errs)
		}
	}
}

func TestCopy(t *testing.T) {
	w := newWorld(t)
	w.berth("run", "-d", "--name", "c1", w.image("busybox"), "sleep", "100")
	src := filepath.Join(w.root, "src")
	os.WriteFile(src, []byte("copied"), 0o640)
	w.berth("cp", src, "c1:/tmp/dst")
	if out := w.berth("exec", "c1", "cat", "/tmp/dst"); out != "copied" {
		t.Errorf("in the container: %q", out)
	}
	back := filepath.Join(w.root, "back")
	w.berth("cp", "c1:/tmp/dst", back)
	if b, err := os.ReadFile(back); err != nil || string(b) != "copied" {
		t.Errorf("back came %q, %v", b, err)
	}
}

func TestRestartPolicyAndHealth(t *testing.T) {
	w := newWorld(t)
	img := w.image("busybox")
	w.berth("run", "-d", "--name", "flaky", "--restart", "on-failure:2", img, "sh", "-c", "exit 3")
	w.eventually("two restarts", func() bool {
		return w.berth("inspect", "-f", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "flaky") == "2 exited 3"
	})
	w.berth("run", "-d", "--name", "sick", "--health-cmd", "test -e /ok", "--health-interval", "200ms", "--health-retries", "2", img, "sleep", "100")
	health := func() string { return w.berth("inspect", "-f", "{{.State.Health.Status}}", "sick") }
	w.eventually("unhealthy", func() bool { return health() == "unhealthy" })
	w.berth("exec", "sick", "touch", "/ok")
	w.eventually("healthy", func() bool { return health() == "healthy" })
}

// The engine is killed at random points while containers are started and removed. What runs goes on, its log has no
// gap, exit codes are learnt.
func TestEngineIsKilled(t *testing.T) {
	w := newWorld(t)
	img := w.image("busybox")
	w.berth("run", "-d", "--name", "steady", img, "sh", "-c", "i=0; while [ $i -lt 100000 ]; do echo $i; i=$((i+1)); sleep 0.02; done")
	w.berth("run", "-d", "--name", "ends", img, "sh", "-c", "sleep 2; exit 9")
	kills := 20
	if os.Getenv("BERTH_LONG") != "" {
		kills = 200
	}
	for i := range kills {
		done := make(chan struct{})
		go func() {
			defer close(done)
			cmd := w.command("run", "--rm", img, "true")
			cmd.Run() // may fail: the engine dies under it
		}()
		time.Sleep(time.Duration(i%10*7) * time.Millisecond)
		if pid := w.enginePid(); pid > 1 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		<-done
	}
	if out := w.berth("ps", "--filter", "name=steady", "--format", "{{.State}}"); out != "running" {
		t.Fatalf("after %d kills: %q", kills, out)
	}
	w.eventually("the exit code", func() bool {
		return w.berth("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends") == "exited 9"
	})
	lines := strings.Fields(w.berth("logs", "steady"))
	for i, l := range lines {
		if l != fmt.Sprint(i) {
			t.Fatalf("line %d of the log is %q", i, l)
		}
	}
	// A client whose engine died between its create and its start leaves a container that was never started, as with
	// docker. Everything that was started must be gone.
	w.eventually("the end of all started runs", func() bool {
		out := w.berth("ps", "-a", "--format", "{{.Names}} {{.State}}")
		for _, line := range strings.Split(out, "\n") {
			name, state, _ := strings.Cut(line, " ")
			if name != "steady" && name != "ends" && state != "created" {
				return false
			}
		}
		return true
	})
}

func TestSecondEngineIsRefused(t *testing.T) {
	w := newWorld(t)
	w.berth("ps")
	cmd := w.command()
	cmd.Path = filepath.Join(os.Getenv(programs), "berth-engine")
	cmd.Args = []string{"berth-engine", "--root", w.root}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprint(w.enginePid())) {
		t.Errorf("a second engine: %v: %s", err, out)
	}
}
