package badinput

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

//go:embed table.txt
var table string

// berth runs the command line against the world's engine.
func berth(w *harness.World, config string, args ...string) (code int, out, errs string) {
	w.Helper()
	var o, e harness.Buffer
	c := exec.Command(filepath.Join(harness.Bin(), "berth"), args...)
	c.Env = []string{"BERTH_HOST=unix://" + w.Layout.Socket(), "PATH=/bin", "DOCKER_CONFIG=" + config}
	c.Stdout, c.Stderr = &o, &e
	w.Must(c.Start())
	timer := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
	defer timer.Stop()
	c.Wait()
	return c.ProcessState.ExitCode(), o.String(), e.String()
}

// world is all that a refused command might leave.
func world(w *harness.World, config string) (out string) {
	w.Helper()
	for _, args := range [][]string{{"ps", "-a", "--format", "{{.ID}} {{.Names}} {{.State}}"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}, {"images", "-q"}} {
		code, text, errs := berth(w, config, args...)
		if code != 0 {
			w.Fatalf("%v: exit code %d, %s", args, code, errs)
		}
		out += strings.Join(args, " ") + ":\n" + text
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	w.Must(err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, w.Layout.Root) && !strings.Contains(line, "/netns/pool-") { // those are made ahead
			out += line
		}
	}
	return out
}

// said is the lines of an error without the advice below it and the progress above it.
func said(errs string) (lines []string) {
	for line := range strings.Lines(errs) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "Unable to find image") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestBadInput(t *testing.T) {
	w := harness.New(t)
	config := t.TempDir()
	w.Run(harness.Spec{Name: "up", Cmd: []string{"sleep", "1000"}})
	w.Wait(w.Run(harness.Spec{Name: "down", Cmd: []string{"true"}}))
	before, n := world(w, config), 0
	for row := range strings.Lines(table) {
		row = strings.TrimSpace(row)
		if row == "" || strings.HasPrefix(row, "#") {
			continue
		}
		n++
		part := strings.Split(strings.ReplaceAll(row, "REG", w.Registry.Addr), " | ")
		want, err := strconv.Atoi(part[0])
		w.Must(err)
		code, out, errs := berth(w, config, strings.Fields(part[1])...)
		lines := said(errs)
		switch {
		case code != want || len(lines) == 0 || !strings.Contains(lines[0], part[2]):
			t.Errorf("%s: exit code %d, not %d; %q, %q", part[1], code, want, out, errs)
		case len(lines) > 2: // what failed and what helps
			t.Errorf("%s: %d lines: %q", part[1], len(lines), errs)
		}
	}
	if n < 120 {
		t.Errorf("only %d rows", n)
	}
	if after := world(w, config); after != before {
		t.Errorf("left behind; before:\n%s\nafter:\n%s", before, after)
	}
}
