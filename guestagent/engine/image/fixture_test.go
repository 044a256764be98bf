//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// envInside marks the test process that has a mount namespace of its own.
const envInside = "BERTH_TEST_IN_NAMESPACE"

// envDriver is the storage driver that tests, and those of package stories, make state directories with; "" is the default.
const envDriver = "BERTH_TEST_STORAGE_DRIVER"

// TestMain runs all tests in a private mount namespace, so that no mount of theirs reaches the machine.
func TestMain(m *testing.M) {
	fuzzing := slices.ContainsFunc(os.Args, func(a string) bool { // its workers speak over descriptors of their own
		return strings.HasPrefix(a, "-test.fuzz=") || strings.HasPrefix(a, "-test.fuzzworker")
	})
	if os.Getuid() != 0 || os.Getenv(envInside) != "" || fuzzing {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), envInside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() > 0 {
			os.Exit(cmd.ProcessState.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "running the tests in a mount namespace:", err)
		os.Exit(1)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("unpacking layers needs root")
	}
}

// openAt opens a service with short pauses on a state directory.
func openAt(t testing.TB, dir string, change ...func(*Config)) *Service {
	t.Helper()
	needRoot(t)
	cfg := Config{Retry: 5 * time.Millisecond, Stall: 2 * time.Second, GCDelay: time.Hour, Driver: os.Getenv(envDriver)}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Open(context.Background(), paths.For(dir), cfg)
	if cfg.Driver == DriverErofs && errdefs.KindOf(err) == errdefs.KindNotImplemented {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, change ...func(*Config)) *Service {
	s := openAt(t, t.TempDir(), change...)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// hub is a registry in this process. before, where set, sees each request and says whether it has answered it.
type hub struct {
	*httptest.Server
	host string

	mu     sync.Mutex
	before func(w http.ResponseWriter, r *http.Request) bool
	log    []string
}

func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(false))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.log = append(h.log, r.Method+" "+r.URL.Path)
		before := h.before
		h.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	h.host = strings.TrimPrefix(h.URL, "http://")
	return h
}

func (h *hub) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = f
}

// seen counts the requests that begin with a prefix such as "GET /v2/x/blobs/", and forgets nothing.
func (h *hub) seen(prefix string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, l := range h.log {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

func (h *hub) push(t testing.TB, repo string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(h.host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return h.host + "/" + repo
}

func (h *hub) pushIndex(t testing.TB, repo string, idx v1.ImageIndex) string {
	t.Helper()
	ref, err := name.ParseReference(h.host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, idx); err != nil {
		t.Fatal(err)
	}
	return h.host + "/" + repo
}

// file is one entry of a layer.
type file struct {
	name, body, link string
	kind             byte // 0 is a regular file
	mode             int64
	uid              int
	pax              map[string]string
}

func dir(name string) file { return file{name: name, kind: tar.TypeDir, mode: 0o755} }

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Linkname: f.link, Typeflag: f.kind, Mode: f.mode, Uid: f.uid, PAXRecords: f.pax, Size: int64(len(f.body))}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(f.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// layer is a gzip layer of the files.
func layer(t testing.TB, files ...file) v1.Layer {
	t.Helper()
	return rawLayer{static.NewLayer(gz(t, tarOf(t, files...)), types.DockerLayer), tarOf(t, files...)}
}

// recompressed is the same layer in other bytes: not compressed at all.
func recompressed(t testing.TB, files ...file) v1.Layer {
	t.Helper()
	plain := tarOf(t, files...)
	return rawLayer{static.NewLayer(plain, types.OCIUncompressedLayer), plain}
}

// rawLayer knows the digest of what is in it, which a static layer does not.
type rawLayer struct {
	v1.Layer
	plain []byte
}

func (l rawLayer) DiffID() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(l.plain))
	return h, err
}

func imageOf(t testing.TB, cfg v1.Config, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", cfg
	img, err = mutate.ConfigFile(img, file)
	if err != nil {
		t.Fatal(err)
	}
	return mutate.MediaType(img, types.DockerManifestSchema2)
}

func amd64(c *Config) {
	p := platformOf("linux/amd64")
	c.Platform = &p
}
