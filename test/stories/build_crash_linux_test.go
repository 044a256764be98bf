package stories

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	buildkit "github.com/moby/buildkit/client"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// sleeper is a command that can be told from all others, and does not end.
const sleeper = "sleep 1234567"

// sleeping tells whether the command runs.
func sleeping() bool {
	want := []byte(strings.ReplaceAll(sleeper, " ", "\x00") + "\x00")
	return slices.ContainsFunc(harness.Processes(), func(p harness.Process) bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Pid))
		return bytes.Equal(b, want)
	})
}

// endless begins to cache something and then does not end.
const endless = "FROM bb\nRUN echo kept > /kept\nRUN --mount=type=cache,target=/c echo begun > /c/begun; " + sleeper + "\n"

func TestBuildAndTheEngineIsKilled(t *testing.T) {
	w := harness.New(t)
	for _, then := range []string{"nothing more is built", "the next one"} {
		ended := make(chan error, 1)
		dir := dockerfile(w, endless)
		go func() { ended <- errorOf(kitBuild(w.Ctx(), w, dir, buildkit.SolveOpt{Exports: image("never:1")})) }()
		w.Eventually("the command runs", sleeping)
		w.Signal(unix.SIGKILL)
		if err := <-ended; err == nil {
			t.Errorf("%s: the build has succeeded", then)
		}
		w.Start()
		w.Eventually("the command has ended", func() bool { return !sleeping() })
		w.Eventually("no mount of a build is left", func() bool {
			b, err := os.ReadFile("/proc/self/mountinfo")
			return err == nil && !bytes.Contains(b, []byte(w.Layout.BuildRun())) && !bytes.Contains(b, []byte("buildkit-mount"))
		})
	}
	dir := dockerfile(w, strings.Replace(endless, sleeper, "cat /kept /c/begun", 1))
	cached, out, err := kitBuild(w.Ctx(), w, dir, buildkit.SolveOpt{Exports: image("next:1")})
	if err != nil || out != "kept\nbegun\n" {
		t.Errorf("the next build says %q and ends with %v", out, err)
	}
	if !strings.Contains(cached, "RUN echo kept") {
		t.Errorf("what the killed build had finished is not in the cache, only %q", cached)
	}
	nothingHeld(w)
}

// nothingHeld checks that all of the cache can be pruned.
func nothingHeld(w *harness.World) {
	w.Helper()
	_, err := w.API.ImageRemove(w.Ctx(), "next:1", client.ImageRemoveOptions{})
	w.Must(err)
	w.Eventually("nothing of the cache is in use, and all goes", func() bool {
		_, err := w.API.BuildCachePrune(w.Ctx(), client.BuildCachePruneOptions{All: true})
		w.Must(err)
		du, err := w.API.DiskUsage(w.Ctx(), client.DiskUsageOptions{BuildCache: true, Verbose: true})
		w.Must(err)
		for _, r := range du.BuildCache.Items {
			if r.InUse || !r.Shared {
				return false
			}
		}
		return true
	})
}

// A client that goes away in the middle of a build ends it, whatever it speaks.
func TestBuildAndTheClientVanishes(t *testing.T) {
	w := harness.New(t)
	for name, build := range map[string]func(ctx context.Context) error{
		"classic": func(ctx context.Context) error {
			res, err := w.API.ImageBuild(ctx, bytes.NewReader(buildContext(w, endless)), client.ImageBuildOptions{})
			if err != nil {
				return err
			}
			defer res.Body.Close()
			_, err = (&bytes.Buffer{}).ReadFrom(res.Body)
			return err
		},
		"BuildKit": func(ctx context.Context) error {
			return errorOf(kitBuild(ctx, w, dockerfile(w, endless), buildkit.SolveOpt{}))
		},
	} {
		ctx, leave := context.WithCancel(w.Ctx())
		ended := make(chan error, 1)
		go func() { ended <- build(ctx) }()
		w.Eventually(name+": the command runs", sleeping)
		leave()
		if err := <-ended; err == nil {
			t.Errorf("%s: the build has succeeded", name)
		}
		w.Eventually(name+": the command has ended", func() bool { return !sleeping() })
	}
	w.Must(errorOf(kitBuild(w.Ctx(), w, dockerfile(w, "FROM bb\nRUN true\n"), buildkit.SolveOpt{Exports: image("next:1")})))
	nothingHeld(w)
}
