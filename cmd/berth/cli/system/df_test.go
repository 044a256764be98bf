package system

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/berthhq/berth/cmd/berth/cli/session"
)

const usage = `{"ImageUsage":{"TotalCount":1,"ActiveCount":1,"TotalSize":100,"Items":[{"Id":"sha256:0123456789abcdef","RepoTags":["bb:latest"],"Size":100,"SharedSize":40,"Containers":1}]},
"ContainerUsage":{"TotalCount":1,"Items":[{"Id":"c0ffee","Names":["/web"],"Image":"bb","Command":"sh","State":"running","Status":"Up"}]},
"VolumeUsage":{"TotalCount":1,"Items":[{"Name":"data","UsageData":{"Size":7,"RefCount":2}}]},"BuildCacheUsage":{}}`

func TestDiskUsageInFull(t *testing.T) {
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		w.Header().Set("Api-Version", "1.56")
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, usage)
	}))
	defer srv.Close()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var out bytes.Buffer
	s := session.New(session.Streams{Out: &out, Err: io.Discard}, func(string) string { return "" })
	s.Host = "tcp://" + strings.TrimPrefix(srv.URL, "http://")
	c := newDF(s)
	c.SetArgs([]string{"-v"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Images space usage:", "SHARED SIZE", "Containers space usage:", "LOCAL VOLUMES", "Local Volumes space usage:", "VOLUME NAME", "data", "Build cache usage"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	if !strings.Contains(asked, "verbose=") {
		t.Errorf("asked %q: an engine sends no single objects for that", asked)
	}
}
