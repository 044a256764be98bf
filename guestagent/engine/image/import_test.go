//go:build linux

package image

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestImport(t *testing.T) {
	ctx := context.Background()
	s := open(t)
	var out bytes.Buffer
	id, err := s.ImageImport(ctx, bytes.NewReader(tarOf(t, file{name: "a", body: "x"})), ImportOptions{
		Source: "-", Name: "docker.io/library/made:1", Changes: []string{"CMD [\"/a\"]", "ENV P=/x", "ENV P=$P:/y", "EXPOSE 80"},
	}, &out)
	if err != nil || !strings.Contains(out.String(), id) {
		t.Fatalf("%q, %v: %s", id, err, out.String())
	}
	img, err := s.Resolve(ctx, "made:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := img.Config.Config
	if _, ok := c.ExposedPorts["80/tcp"]; !ok || c.Cmd[0] != "/a" || c.Env[0] != "P=/x:/y" || img.Config.History[0].Comment != "Imported from -" {
		t.Errorf("it is %+v", img.Config)
	}
	for what, o := range map[string]ImportOptions{
		"a change that is none": {Source: "-", Changes: []string{"COPY a b"}}, "no address": {Source: "ftp://x/y"}, "no host": {Source: "http://"},
	} {
		if _, err := s.ImageImport(ctx, bytes.NewReader(tarOf(t)), o, nil); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestImportFromAnAddress(t *testing.T) {
	ctx := context.Background()
	body := gz(t, tarOf(t, file{name: "a", body: "fetched"}))
	stop := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/files.tgz":
			_, _ = w.Write(body)
		case "/half":
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body[:len(body)/2])
			w.(http.Flusher).Flush()
			<-stop
		default:
			http.Error(w, "not\x1b\n there", http.StatusNotFound)
		}
	}))
	t.Cleanup(func() { close(stop); web.Close() })
	s := open(t, func(c *Config) {
		c.Stall = 200 * time.Millisecond
		c.Proxy = func(r *http.Request) (*url.URL, error) { // files.example is reached by the proxy of the configuration only
			if r.URL.Host == "files.example" {
				return url.Parse(web.URL)
			}
			return nil, nil
		}
	})
	for _, src := range []string{web.URL + "/files.tgz", strings.TrimPrefix(web.URL, "http://") + "/files.tgz", "http://files.example/files.tgz"} {
		var out bytes.Buffer
		id, err := s.ImageImport(ctx, nil, ImportOptions{Source: src, Name: "got:1"}, &out)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		img, err := s.Resolve(ctx, id, nil)
		if err != nil || img.Config.History[0].Comment != "Imported from "+src {
			t.Errorf("%s: %+v, %v", src, img, err)
		}
		for _, want := range []string{`"status":"Downloading from http://`, `"status":"Importing"`, id} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %s is not in %s", src, want, out.String())
			}
		}
	}
	if got := read(t, mounted(t, s, "got:1", "c"), "a"); got != "fetched" {
		t.Errorf("a = %q", got)
	}
	var out bytes.Buffer
	_, err := s.ImageImport(ctx, nil, ImportOptions{Source: web.URL + "/absent"}, &out)
	if errdefs.KindOf(err) != errdefs.KindNotFound || !strings.HasSuffix(err.Error(), "with status 404 Not Found: not there") || out.Len() > 0 {
		t.Errorf("of what is not there: %v, %s", err, out.String())
	}
	if _, err := s.ImageImport(ctx, nil, ImportOptions{Source: web.URL + "/half"}, nil); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("of one that stands still: %v", err)
	}
}

func TestImportIsBounded(t *testing.T) {
	s := open(t, func(c *Config) { c.MaxLayerBytes = 4096 })
	_, err := s.ImageImport(context.Background(), bytes.NewReader(gz(t, tarOf(t, file{name: "a", body: strings.Repeat("0", 1<<20)}))), ImportOptions{Source: "-"}, nil)
	if err == nil || !strings.Contains(err.Error(), "more than the 4096 bytes") {
		t.Errorf("got %v", err)
	}
}
