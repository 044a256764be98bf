package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// hasty serves the fake to clients that must be quick.
func hasty(t *testing.T) (path string) {
	t.Helper()
	s := serverOver(&fake{})
	s.headTimeout = 200 * time.Millisecond
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-done })
	return path
}

// A client that sends its head a byte at a time, for ever, is cut off.
func TestAHeadDropByDrop(t *testing.T) {
	conn, err := net.Dial("unix", hasty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /info HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	began := time.Now()
	for err == nil && time.Since(began) < 20*time.Second {
		time.Sleep(20 * time.Millisecond)
		_, err = conn.Write([]byte("a"))
	}
	if err == nil {
		t.Error("the connection is still open")
	}
}

// What a client says is bounded: its head, its body, and how deep its JSON goes.
func TestTooMuch(t *testing.T) {
	path := listen(t, &fake{})
	for name, c := range map[string]struct {
		request string
		want    string
	}{
		"header":  {"GET /info HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("a", maxHead+8<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"filters": {"GET /containers/json?filters=" + strings.Repeat("%5B", maxHead/3+8<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 431 "},
		"depth":   {post(strings.Repeat(`{"Image":`, 100_000)), "HTTP/1.1 400 "},
		"body":    {post(`{"Image":"` + strings.Repeat("a", maxJSONBody) + `"}`), "HTTP/1.1 400 "},
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(conn, c.request) }() // the server may not read it all
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || !strings.HasPrefix(fmt.Sprintf("%s %s ", resp.Proto, resp.Status), c.want) {
			t.Errorf("%s: %v, %v; want %s", name, resp, err, c.want)
		}
		conn.Close()
	}
	deep := strings.Repeat("[", 20_000)
	if w := ask(&fake{}, "GET", "/containers/json?filters="+deep, ""); w.Code != http.StatusBadRequest {
		t.Errorf("deep filters: %d %s", w.Code, w.Body)
	}
}

func post(body string) string {
	return fmt.Sprintf("POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// Whatever a request says, no handler panics, and its fault is not taken for the engine's.
func FuzzRequest(f *testing.F) {
	routes := Routes()
	at := func(method, path string) int {
		for i, r := range routes {
			if r.Method == method && r.Path == path {
				return i
			}
		}
		f.Fatalf("no route %s %s", method, path)
		return 0
	}
	for _, s := range []struct{ method, path, query, body string }{
		{"POST", "/containers/create", "name=web&platform=linux/amd64", `{"Image":"x","Cmd":"a","Entrypoint":["b"],"HostConfig":{"Binds":["/a:/b"],"PortBindings":{"80/tcp":[{"HostPort":"1"}]}},"NetworkingConfig":{"EndpointsConfig":{"n":null}}}`},
		{"POST", "/containers/create", "", `{"HostConfig":{"Mounts":[{"Type":"bind"}],"RestartPolicy":{"Name":"x"},"Memory":-1},"Healthcheck":{"Test":["CMD"]}}`},
		{"POST", "/containers/{id}/exec", "", `{"Cmd":["a"],"ConsoleSize":[1,2]}`},
		{"POST", "/exec/{id}/start", "", `{"Detach":true,"ConsoleSize":[1]}`},
		{"POST", "/containers/{id}/update", "", `{"Memory":1,"RestartPolicy":{"Name":"always"}}`},
		{"POST", "/networks/create", "", `{"Name":"n","IPAM":{"Config":[{"Subnet":"10.0.0.0/8","Gateway":"10.0.0.1"}]}}`},
		{"POST", "/networks/{id}/connect", "", `{"Container":"c","EndpointConfig":{"IPAMConfig":{"IPv4Address":"1.2.3.4"}}}`},
		{"POST", "/volumes/create", "", `{"Name":"v","DriverOpts":{"type":"tmpfs"}}`},
		{"POST", "/build", `buildargs={"a":null}&labels={}&ulimits=[{"Name":"nofile"}]&outputs=[{"Type":"local"}]&cachefrom=["x"]`, ""},
		{"POST", "/commit", "container=c&repo=a&tag=b&changes=ENV a=b", `{"Env":["a"]}`},
		{"GET", "/containers/json", `filters={"label":{"a":true}}&limit=-1`, ""},
		{"GET", "/events", `since=1&until=2&filters={"type":["x"]}`, ""},
		{"GET", "/containers/{id}/logs", "stdout=1&tail=x&since=1.5", ""},
		{"POST", "/auth", "", `{"username":"u","serveraddress":"x"}`},
		{"POST", "/images/create", "fromImage=a:b&platform=linux", ""},
	} {
		f.Add(at(s.method, s.path), 56, s.query, s.body)
		f.Add(at(s.method, s.path), 24, s.query, s.body)
	}
	f.Fuzz(func(t *testing.T, route, minor int, query, body string) {
		r := routes[uint(route)%uint(len(routes))]
		path := strings.NewReplacer("{id}", "x", "{name}", "x", "{checkpoint}", "x").Replace(r.Path)
		target := fmt.Sprintf("/v1.%d%s?%s", oldestMinor+uint(minor)%(newestMinor-oldestMinor+1), path, safe(query))
		if w := ask(quiet(), r.Method, target, body); strings.Contains(w.Body.String(), "internal error") {
			t.Errorf("%s %s %q: %d %s", r.Method, target, body, w.Code, w.Body)
		}
	})
}

// safe escapes what cannot stand in a request's line.
func safe(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '"' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// quiet is an engine in which every call ends at once.
func quiet() *fake {
	f := verbsFake()
	f.wait = func(context.Context) (container.WaitResponse, error) { return container.WaitResponse{}, nil }
	f.logs = func(context.Context, io.Writer, io.Writer, func()) error { return nil }
	f.attach = func(context.Context, func(bool) Hijack) error { return nil }
	f.build = func(io.Reader, io.Writer) (string, error) { return "", nil }
	f.events = func(context.Context, time.Time, time.Time, func(), func(events.Message) error) error { return nil }
	f.stats = func() (container.StatsResponse, error) {
		return container.StatsResponse{}, errdefs.NotFound("no such container")
	}
	return f
}
