package container

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/berthhq/berth/cmd/berth/cli/session"
)

const sample = `{"id":"0123456789abcdef","name":"/web","cpu_stats":{"cpu_usage":{"total_usage":300},"system_cpu_usage":2000,"online_cpus":2},
"precpu_stats":{"cpu_usage":{"total_usage":100},"system_cpu_usage":1000},"memory_stats":{"usage":3145728,"limit":4194304,"stats":{"inactive_file":1048576}},
"networks":{"eth0":{"rx_bytes":1000,"tx_bytes":2000}},"pids_stats":{"current":3},"blkio_stats":{"io_service_bytes_recursive":[{"op":"read","value":5000}]}}`

// stats runs the verb against an engine that has one container, whose stream has two samples and ends.
func stats(t *testing.T, args ...string) (string, error) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.56")
		w.Header().Set("Content-Type", "application/json")
		switch p := r.URL.Path; {
		case strings.HasSuffix(p, "/containers/json"):
			io.WriteString(w, `[{"Id":"0123456789abcdef","Names":["/web"]}]`)
		case strings.HasSuffix(p, "/stats"):
			io.WriteString(w, sample)
			if r.URL.Query().Get("stream") == "1" || r.URL.Query().Get("stream") == "true" {
				io.WriteString(w, sample)
			}
		case strings.HasSuffix(p, "/web/json"):
			io.WriteString(w, `{"Id":"0123456789abcdef"}`)
		case strings.HasSuffix(p, "/_ping"):
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"message":"No such container: ghost"}`)
		}
	}))
	defer srv.Close()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var out bytes.Buffer
	s := session.New(session.Streams{Out: &out, Err: io.Discard}, func(string) string { return "" })
	s.Host = "tcp://" + strings.TrimPrefix(srv.URL, "http://")
	c := newStats(s)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

func TestStatsOnce(t *testing.T) {
	out, err := stats(t, "--no-stream")
	want := []string{"0123456789ab", "web", "40.00%", "2MiB / 4MiB", "50.00%", "1kB / 2kB", "5kB / 0B", "3"}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], "CONTAINER ID") {
		t.Fatalf("%v: %q", err, out)
	}
	if got := strings.Join(strings.Fields(lines[1]), " "); got != strings.Join(want, " ") {
		t.Errorf("row %q", got)
	}
	out, err = stats(t, "--no-stream", "--no-trunc", "--format", "{{.Container}} {{.ID}}", "web")
	if err != nil || out != "web 0123456789abcdef\n" {
		t.Errorf("%v: %q", err, out)
	}
	if out, err = stats(t, "--no-stream", "--format", "json"); err != nil || !strings.Contains(out, `"CPUPerc":"40.00%"`) {
		t.Errorf("%v: %q", err, out)
	}
}

func TestStatsEndWithTheirContainers(t *testing.T) {
	if out, err := stats(t, "web"); err != nil || strings.Contains(out, "\x1b") || !strings.Contains(out, "CONTAINER ID") {
		t.Errorf("%v: %q", err, out)
	}
}

func TestStatsOfNone(t *testing.T) {
	if _, err := stats(t, "ghost"); err == nil || !strings.Contains(err.Error(), "No such container: ghost") {
		t.Errorf("error %v", err)
	}
}
