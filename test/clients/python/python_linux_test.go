package python

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestDockerPy runs the story with each python of this machine that has docker-py: Debian's, and the one first in PATH.
func TestDockerPy(t *testing.T) {
	var versions []string
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(python, "-c", "import docker; print(docker.__version__)").Output()
		version := strings.TrimSpace(string(out))
		if err != nil || strings.Contains(strings.Join(versions, " "), version) {
			continue
		}
		versions = append(versions, version)
		t.Run(version, func(t *testing.T) { story(harness.New(t), python) })
	}
	if len(versions) == 0 {
		t.Skip("no docker-py on this machine (Debian: python3-docker)")
	}
}

func story(w *harness.World, python string) {
	w.Helper()
	cmd := exec.CommandContext(w.Ctx(), python, "story.py", "bb:latest", w.Registry.Addr+"/py")
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+w.Layout.Socket(), "HOME="+w.TempDir(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("%s: %v\n%s", python, err, out)
	}
	w.Logf("%s", out)
}
