package testcontainers

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// envLeave makes a run of this test the one that leaves things to the reaper.
const envLeave = "BERTH_TEST_LEAVE"

// The library finds the engine once a process, so all stories share one.
func TestTestcontainers(t *testing.T) {
	w := harness.New(t)
	w.Take("testcontainers/ryuk", reaper(t))
	w.Tag("testcontainers/ryuk", tc.ReaperDefaultImage)
	t.Setenv("DOCKER_HOST", "unix://"+w.Layout.Socket())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("RYUK_RECONNECTION_TIMEOUT", "1s")
	w.Part("web", web)
	w.Part("files and commands", files)
	w.Part("life", life)
	w.Part("build", build)
	w.Part("reaper", reaped)
}

// reaper is the image of the program beside this test.
func reaper(t *testing.T) v1.Image {
	t.Helper()
	program := filepath.Join(t.TempDir(), "reaper")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./reaper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the reaper: %v\n%s", err, out)
	}
	body, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Image(t, nil, func(c *v1.Config) { c.Entrypoint = []string{"/reaper"} }, harness.Layer(t, harness.File{Name: "reaper", Mode: 0o755, Body: body}))
}

// run starts a container of the small system and removes it with the test.
func run(w *harness.World, options ...tc.ContainerCustomizer) *tc.DockerContainer {
	w.Helper()
	c, err := tc.Run(w.Ctx(), "bb", options...)
	tc.CleanupContainer(w.T, c, tc.StopTimeout(0))
	w.Must(err)
	return c
}

func text(w *harness.World, r io.ReadCloser, err error) string {
	w.Helper()
	w.Must(err)
	defer r.Close()
	b, err := io.ReadAll(r)
	w.Must(err)
	return string(b)
}

func web(w *harness.World) {
	nw, err := network.New(w.Ctx())
	tc.CleanupNetwork(w.T, nw)
	w.Must(err)
	site := run(w, tc.WithCmd("httpd", "-f", "-p", "80", "-h", "/srv"), tc.WithExposedPorts("80/tcp"),
		tc.WithFiles(tc.ContainerFile{Reader: strings.NewReader("page"), ContainerFilePath: "/srv/index.html", FileMode: 0o644}),
		network.WithNetwork([]string{"site"}, nw), tc.WithWaitStrategy(wait.ForHTTP("/").WithPort("80/tcp"), wait.ForListeningPort("80/tcp")))
	if on, err := site.Networks(w.Ctx()); err != nil || len(on) != 1 || on[0] != nw.Name {
		w.Errorf("the container is on %q, %v, not on %s alone", on, err, nw.Name)
	}
	at, err := site.PortEndpoint(w.Ctx(), "80/tcp", "http")
	w.Must(err)
	resp, err := http.Get(at)
	w.Must(err)
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "page" {
		w.Errorf("%s: %q, %v", at, b, err)
	}
	visitor := run(w, tc.WithCmd("wget", "-qO-", "http://site/index.html"), network.WithNetwork(nil, nw), tc.WithWaitStrategy(wait.ForExit()))
	r, err := visitor.Logs(w.Ctx())
	if got := text(w, r, err); got != "page" {
		w.Errorf("over the network: %q", got)
	}
}

func files(w *harness.World) {
	c := run(w, tc.WithCmd("sleep", "1000"), tc.WithEnv(map[string]string{"A": "b"}), tc.WithTmpfs(map[string]string{"/scratch": "size=1m"}),
		tc.WithWaitStrategy(wait.ForExec([]string{"test", "-d", "/data"})))
	w.Must(c.CopyToContainer(w.Ctx(), []byte("copied"), "/new/place/file", 0o600))
	r, err := c.CopyFileFromContainer(w.Ctx(), "/new/place/file")
	if got := text(w, r, err); got != "copied" {
		w.Errorf("copied in and out: %q", got)
	}
	code, out, err := c.Exec(w.Ctx(), []string{"sh", "-c", "echo $A; echo wrong >&2; stat -c %a /new/place/file; exit 6"}, tcexec.Multiplexed())
	if got := text(w, io.NopCloser(out), err); code != 6 || !strings.Contains(got, "b\n600\n") || !strings.Contains(got, "wrong\n") {
		w.Errorf("exec: %d, %q", code, got)
	}
}

// heard collects what a container says.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Accept(l tc.Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.WriteString(l.LogType + " " + string(l.Content))
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

func life(w *harness.World) {
	ear := &heard{}
	c := run(w, tc.WithCmd("sh", "-c", "echo ready; echo late >&2; exec sleep 1000"), tc.WithLogConsumers(ear),
		tc.WithConfigModifier(func(c *container.Config) {
			c.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: 50 * time.Millisecond}
		}),
		tc.WithWaitStrategy(wait.ForLog("ready"), wait.ForHealthCheck()))
	w.Eventually("both streams are heard", func() bool {
		return strings.Contains(ear.all(), "STDOUT ready\n") && strings.Contains(ear.all(), "STDERR late\n")
	})
	at := time.Duration(0)
	w.Must(c.Stop(w.Ctx(), &at))
	if s, err := c.State(w.Ctx()); err != nil || s.Running || s.Status != "exited" {
		w.Errorf("after stop: %+v, %v", s, err)
	}
	w.Must(c.Start(w.Ctx()))
	if s, err := c.State(w.Ctx()); err != nil || !s.Running {
		w.Errorf("after start: %+v, %v", s, err)
	}
	w.Must(c.Terminate(w.Ctx(), tc.StopTimeout(0)))
	if _, err := w.API.ContainerInspect(w.Ctx(), c.GetContainerID(), client.ContainerInspectOptions{}); err == nil {
		w.Error("it is there after Terminate")
	}
}

func build(w *harness.World) {
	dir := w.TempDir()
	w.Must(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM bb\nARG WHO\nRUN echo made for $WHO > /made\nCMD [\"cat\", \"/made\"]\n"), 0o644))
	who := "berth"
	c, err := tc.Run(w.Ctx(), "", tc.WithDockerfile(tc.FromDockerfile{Context: dir, BuildArgs: map[string]*string{"WHO": &who}}), tc.WithWaitStrategy(wait.ForExit()))
	tc.CleanupContainer(w.T, c, tc.StopTimeout(0))
	w.Must(err)
	r, err := c.Logs(w.Ctx())
	if got := text(w, r, err); got != "made for berth\n" {
		w.Errorf("the built image says %q", got)
	}
}

// reaped lets another process leave a container and a network behind: the reaper takes both, and itself.
func reaped(w *harness.World) {
	cmd := exec.CommandContext(w.Ctx(), "/proc/self/exe", "-test.run", "^TestLeave$", "-test.v")
	cmd.Env = append(os.Environ(), envLeave+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "left behind") {
		w.Fatalf("the process that leaves: %v\n%s", err, out)
	}
	w.Eventually("the reaper has been", func() bool {
		mine := client.Filters{}.Add("label", "story=left")
		containers, err := w.API.ContainerList(w.Ctx(), client.ContainerListOptions{All: true, Filters: mine})
		w.Must(err)
		networks, err := w.API.NetworkList(w.Ctx(), client.NetworkListOptions{Filters: mine})
		w.Must(err)
		return len(containers.Items) == 0 && len(networks.Items) == 0
	})
}

// TestLeave is the process that reaped starts.
func TestLeave(t *testing.T) {
	if os.Getenv(envLeave) == "" {
		t.Skip("another test runs this in a process of its own")
	}
	label := map[string]string{"story": "left"}
	nw, err := network.New(context.Background(), network.WithLabels(label))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tc.Run(context.Background(), "bb", tc.WithCmd("sleep", "1000"), tc.WithLabels(label), network.WithNetwork(nil, nw)); err != nil {
		t.Fatal(err)
	}
	t.Log("left behind")
}
