package ui

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/berthhq/berth/internal/paths"
	"github.com/berthhq/berth/test/harness"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, "cmd/berth-hostagent")) }

const modules = "../../web/node_modules"

// TestStories runs the stories in both languages. BERTH_SHOTS names a directory that gets pictures of each page.
func TestStories(t *testing.T) {
	for _, program := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	if _, err := os.Stat(modules + "/playwright-core"); err != nil {
		t.Skip("web/node_modules is not here: run `npm ci` in web/")
	}
	for _, language := range []string{"en", "ko"} {
		t.Run(language, func(t *testing.T) { story(t, language) })
	}
}

func story(t *testing.T, language string) {
	w := harness.Empty(t, harness.StateDir(t))
	w.Registry = harness.NewRegistry(t, nil)
	w.Start()
	base := harness.Busybox(t)
	spare := w.Registry.Push(t, "spare:1", harness.Image(t, base, func(c *v1.Config) { c.Cmd = []string{"true"} }))
	image := w.Registry.Push(t, "site:1", harness.Image(t, base, func(c *v1.Config) {
		c.Cmd = []string{"sh", "-c", "test -z \"$BREAK\" || exit 3; echo ready; httpd -f -p 80 -h /site"}
		c.ExposedPorts = map[string]struct{}{"80/tcp": {}}
	}))
	site := t.TempDir()
	if err := os.WriteFile(filepath.Join(site, "index.html"), []byte("berth story"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	link := open(ctx, t, w)
	t.Cleanup(func() { quit(t, w) })
	// The story asks for the engine's death and return with a file each.
	signs := t.TempDir()
	go gone(ctx, w, signs)
	cmd := exec.CommandContext(ctx, "node", "stories.mjs")
	cmd.Env = append(os.Environ(), "LINK="+link, "LANGUAGE_CODE="+language, "IMAGE="+image, "SPARE="+spare, "SITE="+site, "SIGNS="+signs)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// open asks berth ui for the way in, as a person does.
func open(ctx context.Context, t *testing.T, w *harness.World) string {
	cmd := exec.CommandContext(ctx, filepath.Join(harness.Bin(), "berth"), "ui", "--no-browser")
	cmd.Env = append(os.Environ(), paths.EnvRoot+"="+w.Layout.Root, paths.EnvHost+"=", paths.EnvDockerHost+"=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("berth ui: %v\n%s", err, out)
	}
	file := strings.TrimPrefix(strings.TrimSpace(string(out)), "file://")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the redirect file %s is %v, %v", file, info, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`href="([^"]+)"`).FindSubmatch(b)
	if link == nil {
		t.Fatalf("no link in %s", b)
	}
	return string(link[1])
}

// quit ends the window's server.
func quit(t *testing.T, w *harness.World) {
	layout := paths.WindowFor("unix://"+w.Layout.Socket(), func(name string) string {
		if name == paths.EnvRoot {
			return w.Layout.Root
		}
		return ""
	})
	out, err := exec.Command("node", "-e", `require("http").request({socketPath:process.argv[1],path:"/quit",method:"POST"},r=>r.resume()).end()`, layout.Socket()).CombinedOutput()
	if err != nil {
		t.Errorf("the window's server: %v\n%s", err, out)
	}
}

// gone kills the engine and starts another where the story says so.
func gone(ctx context.Context, w *harness.World, signs string) {
	for _, step := range []struct {
		name string
		do   func()
	}{{"kill", func() { w.Signal(unix.SIGKILL) }}, {"start", w.Start}} {
		for {
			if _, err := os.Stat(filepath.Join(signs, step.name)); err == nil {
				step.do()
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}
