package moby

import (
	"os"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// envEndpoint names an engine that is there already.
const envEndpoint = "BERTH_TEST_ENDPOINT"

func TestMain(m *testing.M) {
	if os.Getenv(envEndpoint) != "" {
		os.Exit(m.Run())
	}
	os.Exit(harness.Main(m))
}

func TestMoby(t *testing.T) {
	w := open(t)
	w.Part("files in and out", files)
	w.Part("logs followed across a rotation", rotation)
	w.Part("events of fifty containers", events)
	w.Part("stats of a busy container", stats)
	w.Part("save piped to load", saved)
	w.Part("a registry with a password", private)
	w.Part("attach over a websocket", socket)
	w.Part("a build with a cache and a secret", build)
}

// open gives an engine that has the image bb: one of berth's, or the one of the environment.
func open(t *testing.T) *harness.World {
	t.Helper()
	at := os.Getenv(envEndpoint)
	if at == "" {
		return harness.New(t)
	}
	api, err := client.New(client.WithHost(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	w := &harness.World{T: t, API: api, Registry: harness.NewRegistry(t, nil), Log: &harness.Buffer{}}
	w.Take("bb", harness.Busybox(t))
	return w
}

// run starts a container that is removed with the story.
func run(w *harness.World, s harness.Spec) string {
	w.Helper()
	id := w.Create(s)
	w.Cleanup(func() { w.Remove(id) })
	w.Begin(id)
	return id
}

// forget removes images when the story ends; those that it removed itself are gone already.
func forget(w *harness.World, names ...string) {
	w.Cleanup(func() {
		for _, name := range names {
			_, _ = w.API.ImageRemove(w.Ctx(), name, client.ImageRemoveOptions{Force: true})
		}
	})
}

// stdin opens a container's standard input until its first client leaves.
func stdin(c *container.Config, _ *container.HostConfig) {
	c.OpenStdin, c.StdinOnce = true, true
	c.AttachStdin, c.AttachStdout, c.AttachStderr = true, true, true
}
