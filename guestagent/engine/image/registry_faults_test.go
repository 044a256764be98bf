//go:build linux

package image

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/stall"
	"github.com/berthhq/berth/internal/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/registry"
	"github.com/opencontainers/go-digest"
)

// noise is a file that does not compress, so that its layer takes many reads.
func noise(t testing.TB, n int) file {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return file{name: "noise", body: string(b)}
}

func isLayerGet(r *http.Request, l v1.Layer) bool {
	d, err := l.Digest()
	return err == nil && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, d.String())
}

func blobOf(t testing.TB, l v1.Layer) []byte {
	t.Helper()
	rc, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serveFrom answers a GET with the part of b that the Range header asks for, at most limit bytes of it and then a cut.
func serveFrom(w http.ResponseWriter, r *http.Request, b []byte, limit int) {
	start := 0
	if h := r.Header.Get("Range"); h != "" {
		start, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(h, "bytes="), "-"))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(b)-1, len(b)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)-start))
	if start > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	part := b[start:]
	if len(part) > limit {
		part = part[:limit]
	}
	_, _ = w.Write(part)
	if len(part) < len(b)-start {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

func pullErr(t *testing.T, s *Service, ref string, auth *registry.AuthConfig) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := s.ImagePull(context.Background(), ref, nil, auth, &out)
	return out.String(), err
}

func TestPullGoesOnAfterEachCut(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	l := layer(t, noise(t, 2<<20))
	ref := h.push(t, "cut:1", imageOf(t, v1.Config{}, l))
	blob := blobOf(t, l)
	var gets atomic.Int32
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayerGet(r, l) {
			return false
		}
		gets.Add(1)
		serveFrom(w, r, blob, 300<<10)
		return true
	})
	if out, err := pullErr(t, s, ref, nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := gets.Load(); n < 6 {
		t.Errorf("%d requests for a layer that was cut every 300 KiB", n)
	}
	if got := len(read(t, mounted(t, s, ref, "c"), "noise")); got != 2<<20 {
		t.Errorf("file has %d bytes", got)
	}
}

func TestPullResumesInANewEngine(t *testing.T) {
	h, dir := newHub(t), t.TempDir()
	l := layer(t, noise(t, 2<<20))
	ref := h.push(t, "resume:1", imageOf(t, v1.Config{}, l))
	blob := blobOf(t, l)
	var dead atomic.Bool
	var firstRange atomic.Value
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayerGet(r, l) {
			return false
		}
		if dead.Load() {
			firstRange.CompareAndSwap(nil, r.Header.Get("Range"))
			serveFrom(w, r, blob, len(blob))
			return true
		}
		if r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusGone)
			return true
		}
		serveFrom(w, r, blob, 1<<20)
		return true
	})
	s := openAt(t, dir, amd64)
	if _, err := pullErr(t, s, ref, nil); err == nil {
		t.Fatal("a pull that was cut for good succeeded")
	}
	if err := s.Collect(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dead.Store(true)
	s = openAt(t, dir, amd64)
	defer s.Close()
	if out, err := pullErr(t, s, ref, nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, _ := firstRange.Load().(string); got != "bytes="+strconv.Itoa(1<<20)+"-" {
		t.Errorf("the second pull asked for range %q, want it to go on after 1 MiB", got)
	}
	if got := len(read(t, mounted(t, s, ref, "c"), "noise")); got != 2<<20 {
		t.Errorf("file has %d bytes", got)
	}
}

func TestPullOfWrongBytesIsRefusedAndLeavesNothing(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	l := layer(t, file{name: "a", body: "right"})
	ref := h.push(t, "lie:1", imageOf(t, v1.Config{}, l))
	lie := bytes.Repeat([]byte("x"), len(blobOf(t, l)))
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayerGet(r, l) {
			return false
		}
		_, _ = w.Write(lie)
		return true
	})
	d, _ := l.Digest()
	if _, err := pullErr(t, s, ref, nil); err == nil || !strings.Contains(err.Error(), "filesystem layer verification failed for digest "+d.String()) {
		t.Fatalf("error = %v", err)
	}
	if _, err := s.Resolve(context.Background(), ref, nil); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("Resolve after a refused pull: %v", err)
	}
	h.intercept(nil)
	if out, err := pullErr(t, s, ref, nil); err != nil {
		t.Fatalf("pull from an honest registry after the lie: %v\n%s", err, out)
	}
}

func TestPullRefusesLayersThatDoNotMatchTheConfiguration(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	other := tarOf(t, file{name: "other", body: "y"})
	bad := layer(t, file{name: "a", body: "x"}).(rawLayer)
	bad.plain = other // its diff ID will be that of something else
	ref := h.push(t, "diff:1", imageOf(t, v1.Config{}, bad))
	if _, err := pullErr(t, s, ref, nil); err == nil || !strings.Contains(err.Error(), "does not match its image's configuration") {
		t.Fatalf("error = %v", err)
	}
}

func TestPullGivesUpOnASilentRegistry(t *testing.T) {
	h := newHub(t)
	s := open(t, amd64, func(c *Config) { c.Stall = 50 * time.Millisecond })
	l := layer(t, noise(t, 1<<20))
	ref := h.push(t, "stall:1", imageOf(t, v1.Config{}, l))
	blob := blobOf(t, l)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayerGet(r, l) {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
		if r.Header.Get("Range") == "" {
			_, _ = w.Write(blob[:1000])
		}
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	began := time.Now()
	_, err := pullErr(t, s, ref, nil)
	if err == nil || !strings.Contains(err.Error(), stall.ErrStalled.Error()) {
		t.Fatalf("error = %v, want %v", err, stall.ErrStalled)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestPullEndsWithItsContext(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	l := layer(t, noise(t, 1<<20))
	ref := h.push(t, "cancel:1", imageOf(t, v1.Config{}, l))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayerGet(r, l) {
			return false
		}
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
		return true
	})
	if err := s.ImagePull(ctx, ref, nil, nil, nil); err == nil || errdefs.KindOf(err) != errdefs.KindCanceled {
		t.Fatalf("error = %v", err)
	}
}

func TestTwoPullsFetchASharedLayerOnce(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	shared := layer(t, noise(t, 1<<20))
	var refs []string
	for i := range 4 {
		refs = append(refs, h.push(t, fmt.Sprintf("share%d:1", i), imageOf(t, v1.Config{},
			shared, layer(t, file{name: fmt.Sprint("own", i), body: "z"}))))
	}
	refs = append(refs, refs[0])
	var wg sync.WaitGroup
	errs := make([]error, len(refs))
	for i, ref := range refs {
		wg.Go(func() { errs[i] = s.ImagePull(context.Background(), ref, nil, nil, nil) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("pull %d: %v", i, err)
		}
	}
	d, _ := shared.Digest()
	n := 0
	for i := range 4 {
		n += h.seen(fmt.Sprintf("GET /v2/share%d/blobs/%s", i, d))
	}
	if n != 1 {
		t.Errorf("the shared layer was fetched %d times", n)
	}
	read(t, mounted(t, s, refs[3], "c"), "own3")
}

func basic(user, password string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, ok := r.BasicAuth(); ok && u == user && p == password {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		return true
	}
}

// bearerAuth demands a token that /token gives for user and password.
func bearerAuth(h *hub, user, password string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			u, p, _ := r.BasicAuth()
			if r.Method == http.MethodPost {
				_ = r.ParseForm()
				u, p = r.PostForm.Get("username"), r.PostForm.Get("password")
			}
			if u != user || p != password {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}`)
				return true
			}
			_, _ = io.WriteString(w, `{"access_token":"good","token":"good"}`)
			return true
		}
		if r.Header.Get("Authorization") == "Bearer good" {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="test"`, h.URL))
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		return true
	}
}

func TestPullAuthenticates(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	good := map[string]*registry.AuthConfig{
		"user and password": {Username: "ann", Password: "secret"},
		"auth field":        {Auth: encoded},
	}
	for _, scheme := range []string{"basic", "bearer"} {
		h, s := newHub(t), open(t, amd64)
		ref := h.push(t, "private/x:1", imageOf(t, v1.Config{}, layer(t, file{name: "a", body: "x"})))
		guard := basic("ann", "secret")
		if scheme == "bearer" {
			guard = bearerAuth(h, "ann", "secret")
		}
		h.intercept(guard)
		for name, auth := range good {
			t.Run(scheme+" "+name, func(t *testing.T) {
				if out, err := pullErr(t, s, ref, auth); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
		t.Run(scheme+" none", func(t *testing.T) {
			_, err := pullErr(t, s, ref, nil)
			want := "pull access denied for " + strings.TrimSuffix(ref, ":1") + ", repository does not exist or may require 'docker login'"
			if err == nil || !strings.HasPrefix(err.Error(), want) || errdefs.KindOf(err) != errdefs.KindNotFound {
				t.Errorf("error = %v, want %s", err, want)
			}
		})
		t.Run(scheme+" wrong", func(t *testing.T) {
			_, err := pullErr(t, s, ref, &registry.AuthConfig{Username: "ann", Password: "guess"})
			if errdefs.KindOf(err) != errdefs.KindUnauthorized || !strings.HasPrefix(err.Error(), "unauthorized: ") {
				t.Errorf("error = %v (%v)", err, errdefs.KindOf(err))
			}
		})
		t.Run(scheme+" login", func(t *testing.T) {
			ctx := context.Background()
			res, err := s.RegistryLogin(ctx, &registry.AuthConfig{Username: "ann", Password: "secret", ServerAddress: h.host})
			if err != nil || res.Status != "Login Succeeded" {
				t.Errorf("login: %v, %v", res, err)
			}
			_, err = s.RegistryLogin(ctx, &registry.AuthConfig{Username: "ann", Password: "no", ServerAddress: h.host})
			refused := errdefs.KindOf(err) == errdefs.KindUnauthorized && strings.HasPrefix(err.Error(), "unauthorized: ")
			if scheme == "basic" { // in docker's words, whose status is 500
				refused = err != nil && strings.HasSuffix(err.Error(), "/v2/ failed with status: 401 Unauthorized")
			}
			if !refused {
				t.Errorf("login with a wrong password: %v (%v)", err, errdefs.KindOf(err))
			}
		})
	}
}

func TestPullFailureTexts(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	repo := h.host + "/texts"
	arm := platformOf("linux/arm64")
	const emptyList = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	h.push(t, "texts:amd", imageOf(t, v1.Config{}, layer(t, file{name: "a", body: "x"})))
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		answer := func(status int, typ, body string) bool {
			w.Header().Set("Content-Type", typ)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/manifests/v1"):
			return answer(200, "application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1}`)
		case strings.HasSuffix(r.URL.Path, "/manifests/list"), strings.HasSuffix(r.URL.Path, digest.FromString(emptyList).String()):
			return answer(200, "application/vnd.oci.image.index.v1+json", emptyList)
		case strings.HasSuffix(r.URL.Path, "/manifests/denied"):
			return answer(403, "application/json", `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`)
		case strings.HasSuffix(r.URL.Path, "/manifests/busy"):
			return answer(429, "application/json", `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`)
		case strings.HasSuffix(r.URL.Path, "/manifests/chart"):
			return answer(200, "text/html", `<html>`)
		}
		return false
	})
	for _, tt := range []struct {
		ref, want string
		platform  bool
		kind      errdefs.Kind
	}{
		{repo + ":none", "manifest for " + repo + ":none not found: manifest unknown", false, errdefs.KindNotFound},
		{repo + ":v1", "schema 1 support has been removed", false, errdefs.KindInvalid},
		{repo + ":list", "no matching manifest for linux/arm64 in the manifest list entries", true, errdefs.KindNotFound},
		{repo + ":amd", "its platform (linux/amd64) does not match the specified platform (linux/arm64)", true, errdefs.KindNotFound},
		{repo + ":denied", "pull access denied for " + repo + ", repository does not exist or may require 'docker login': denied: requested access", false, errdefs.KindNotFound},
		{repo + ":busy", "toomanyrequests:", false, errdefs.KindUnavailable},
		{repo + ":chart", "is not an image", false, errdefs.KindInvalid},
		{"127.0.0.1:1/x", "connection refused", false, errdefs.KindUnknown},
		{"Upper", "invalid reference format", false, errdefs.KindInvalid},
		{"", "invalid reference format", false, errdefs.KindInvalid},
	} {
		t.Run(tt.ref, func(t *testing.T) {
			p := &arm
			if !tt.platform {
				p = nil
			}
			err := s.ImagePull(context.Background(), tt.ref, p, nil, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error = %v\n want %s", err, tt.want)
			}
			if got := errdefs.KindOf(err); got != tt.kind {
				t.Errorf("kind = %v, want %v (%v)", got, tt.kind, err)
			}
		})
	}
}
