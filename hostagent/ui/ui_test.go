package ui

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/berthhq/berth/internal/paths"
)

// world is a server before a fake engine.
type world struct {
	*testing.T
	server *Server
	base   string // http://127.0.0.1:port
	clock  *clock

	mu   sync.Mutex
	seen []string // what reached the engine
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, clock: &clock{now: time.Now()}}
	engine := httptest.NewServer(http.HandlerFunc(w.engine))
	t.Cleanup(func() { engine.CloseClientConnections(); engine.Close() })
	front := httptest.NewUnstartedServer(nil)
	w.server = New(Config{
		Layout: paths.Window{Dir: t.TempDir()}, About: About{Local: true, Home: t.TempDir()}, Now: w.clock.Now,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", engine.Listener.Addr().String())
		},
		Machines: func() []paths.Machine { return nil },
	}, front.Listener.Addr().String())
	front.Config.Handler = w.server.Handler()
	front.Start()
	w.base = front.URL
	t.Cleanup(func() { front.CloseClientConnections(); front.Close(); w.server.Close() })
	return w
}

// engine answers as one would, and notes what it was asked and with which headers.
func (w *world) engine(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	line := r.Method + " " + r.URL.RequestURI()
	for name := range r.Header {
		if name == "Cookie" || name == "Authorization" || name == "Origin" {
			line += " with " + name
		}
	}
	w.seen = append(w.seen, line)
	w.mu.Unlock()
	switch {
	case r.Header.Get("Upgrade") == "tcp":
		conn, _, _ := rw.(http.Hijacker).Hijack()
		fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		io.Copy(conn, conn)
		conn.Close()
	case strings.HasSuffix(r.URL.Path, "/logs"):
		block := make([]byte, 64<<10)
		for {
			if _, err := rw.Write(block); err != nil {
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/archive"):
		rw.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString([]byte(`{"mode":2147484141}`)))
		io.WriteString(rw, "a tar of a directory")
	default:
		rw.Header().Set("Set-Cookie", "evil=1")
		rw.Header().Set("Access-Control-Allow-Origin", "*")
		rw.Header().Set("Content-Type", "text/html")
		io.WriteString(rw, "<script>alert(1)</script>")
	}
}

func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.seen...)
}

// once is the token in the redirect file.
func (w *world) once() string {
	w.Helper()
	file, err := w.server.Invite()
	if err != nil {
		w.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	m := regexp.MustCompile(`#once=([A-Za-z0-9_-]{43})`).FindSubmatch(b)
	if m == nil {
		w.Fatalf("no token in %s", b)
	}
	return string(m[1])
}

// login gives a tab's token.
func (w *world) login() string {
	w.Helper()
	code, body, _ := w.do("POST", "/session", `{"once":"`+w.once()+`"}`, nil)
	var out struct{ Token string }
	if json.Unmarshal([]byte(body), &out); code != 200 || out.Token == "" {
		w.Fatalf("%d %s", code, body)
	}
	return out.Token
}

func (w *world) do(method, path, body string, change func(*http.Request)) (int, string, http.Header) {
	w.Helper()
	r, err := http.NewRequest(method, w.base+"/", strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	// As it was written: a client of the attacker's does not clean paths.
	r.URL.Opaque = path
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestTheBridgePassesNothingOfTheBrowsers(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	code, _, h := w.do("GET", "/engine/containers/json?all=1", "", func(r *http.Request) {
		bearer(token)(r)
		r.Header.Set("Cookie", "a=b")
		r.Header.Set("Origin", w.base)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	})
	if got := strings.Join(w.asked(), "\n"); code != 200 || got != "GET /containers/json?all=1" {
		t.Errorf("%d, engine was asked %q", code, got)
	}
	for _, name := range []string{"Set-Cookie", "Access-Control-Allow-Origin"} {
		if h.Get(name) != "" {
			t.Errorf("the answer has %s", name)
		}
	}
	if p := h.Get("Content-Security-Policy"); !strings.Contains(p, "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("an engine's answer could be a page: %q", p)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	for name, change := range map[string]func(*http.Request){
		"no token":           func(*http.Request) {},
		"wrong token":        bearer("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		"token as a cookie":  func(r *http.Request) { r.Header.Set("Cookie", "token="+token+"; Authorization=Bearer "+token) },
		"token in the query": func(r *http.Request) { r.URL.RawQuery = "token=" + token },
		"a published page": func(r *http.Request) {
			bearer(token)(r)
			r.Header.Set("Origin", "http://127.0.0.1:8080")
		},
		"a sandboxed frame": func(r *http.Request) { bearer(token)(r); r.Header.Set("Origin", "null") },
		"same site":         func(r *http.Request) { bearer(token)(r); r.Header.Set("Sec-Fetch-Site", "same-site") },
		"rebound name":      func(r *http.Request) { bearer(token)(r); r.Host = "evil.example:" + port(w.base) },
		"localhost":         func(r *http.Request) { bearer(token)(r); r.Host = "localhost:" + port(w.base) },
		"no port":           func(r *http.Request) { bearer(token)(r); r.Host = "127.0.0.1" },
	} {
		for _, path := range []string{"/engine/containers/json", "/local/about", "/local/folders"} {
			if code, body, h := w.do("GET", path, "", change); code != 401 && code != 403 || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s: %d %s", name, path, code, body)
			}
		}
	}
	if code, _, h := w.do("OPTIONS", "/engine/containers/json", "", func(r *http.Request) {
		r.Header.Set("Origin", "http://evil.example")
		r.Header.Set("Access-Control-Request-Headers", "authorization")
	}); code < 400 || h.Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("preflight: %d", code)
	}
	if seen := w.asked(); len(seen) > 0 {
		t.Errorf("reached the engine: %q", seen)
	}
	if code, _, _ := w.do("GET", "/", "", func(r *http.Request) { r.Host = "evil.example" }); code != 403 {
		t.Errorf("the page under another name: %d", code)
	}
}

func port(base string) string { return base[strings.LastIndex(base, ":")+1:] }

func TestOnlyTheWindowsPathsReachTheEngine(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	for _, path := range []string{
		"GET /engine/containers/../images/json", "GET /engine/containers/%2e%2e/images/json", "GET /engine/containers//json",
		"GET /engine/containers/a%2Fb/json", "GET /engine/./info", "GET /engine/info/", `GET /engine/containers/a\b/json`,
		"GET /engine/v1.45/info", "GET /engine/swarm", "POST /engine/swarm/init", "POST /engine/plugins/pull", "POST /engine/build",
		"POST /engine/auth", "GET /engine/containers/x/export", "DELETE /engine/containers/json/../x/../..", "TRACE /engine/info",
		"POST /engine/containers/json", "PUT /engine/info", "GET /engine/containers/-x/json", "GET /engine/images/../containers/json",
		"GET /engine/images/a/../../info", "GET /engine/info%00", "GET /engine/containers/x/json%0d%0aHost:x", "POST /engine/session", "POST /engine/grpc",
		"GET /engine/http://evil.example/info", "GET /engine//evil.example/info", "GET //evil.example/engine/info",
		"GET /engine/berth/containers/x/edit", "POST /engine/berth/containers/x/other", "POST /engine/berth/containers/a/../x/edit", "POST /engine/berth/v1/x",
	} {
		method, p, _ := strings.Cut(path, " ")
		if code, body, _ := w.do(method, p, "", bearer(token)); code < 400 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if seen := w.asked(); len(seen) > 0 {
		t.Errorf("reached the engine: %q", seen)
	}
	for _, path := range []string{"GET /engine/images/localhost:5000/a/b:1.0/history", "DELETE /engine/images/sha256:0123", "POST /engine/berth/containers/x/edit?plan=1", "HEAD /engine/containers/x/archive?path=/a/../b"} {
		method, p, _ := strings.Cut(path, " ")
		if code, body, _ := w.do(method, p, "", bearer(token)); code != 200 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestTheWayInWorksOnce(t *testing.T) {
	w := newWorld(t)
	once := w.once()
	info, err := os.Stat(w.server.cfg.Layout.Redirect())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the redirect file is %v, %v: others may read it", info.Mode(), err)
	}
	code, _, _ := w.do("POST", "/session", `{"once":"`+once+`"}`, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
	if code != 403 {
		t.Errorf("another site came in: %d", code)
	}
	if code, body, _ := w.do("POST", "/session", `{"once":"`+once+`"}`, nil); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	if _, err := os.Stat(w.server.cfg.Layout.Redirect()); err == nil {
		t.Error("the redirect file stays after its token is spent")
	}
	if code, body, _ := w.do("POST", "/session", `{"once":"`+once+`"}`, nil); code != 401 || !strings.Contains(body, "berth ui") {
		t.Errorf("a second time: %d %s", code, body)
	}
	late := w.once()
	w.clock.pass(onceLife)
	if code, _, _ := w.do("POST", "/session", `{"once":"`+late+`"}`, nil); code != 401 {
		t.Errorf("too late: %d", code)
	}
	token := w.login()
	w.clock.pass(sessionLife - time.Minute)
	if code, _, _ := w.do("GET", "/engine/info", "", bearer(token)); code != 200 {
		t.Errorf("in use: %d", code)
	}
	w.clock.pass(sessionLife)
	if code, _, _ := w.do("GET", "/engine/info", "", bearer(token)); code != 401 {
		t.Errorf("long unused: %d", code)
	}
}

func TestThePageMayDoLittle(t *testing.T) {
	w := newWorld(t)
	code, body, h := w.do("GET", "/", "", nil)
	if code != 200 || strings.Contains(body, "<script>") || strings.Contains(body, " style=") || strings.Contains(body, " onload=") {
		t.Errorf("%d: the page has code in it: %s", code, body)
	}
	p := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "connect-src 'self'", "base-uri 'none'"} {
		if !strings.Contains(p, want) {
			t.Errorf("the policy lacks %s: %s", want, p)
		}
	}
	if strings.Contains(p, "unsafe") || strings.Contains(p, "http:") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the policy is wide: %s", p)
	}
	for _, path := range []string{"/../ui_test.go", "/%2e%2e/ui.go", "/assets/", "/dist/index.html", "/assets/../../server.go"} {
		if code, _, _ := w.do("GET", path, "", nil); code == 200 {
			t.Errorf("%s is served", path)
		}
	}
}

func (w *world) dial(origin string, first string) (*websocket.Conn, told, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := http.Header{}
	if origin != "" {
		h.Set("Origin", origin)
	}
	ws, _, err := websocket.Dial(ctx, w.base+"/stream", &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		return nil, told{}, err
	}
	w.Cleanup(func() { ws.CloseNow() })
	if err := ws.Write(ctx, websocket.MessageText, []byte(first)); err != nil {
		return nil, told{}, err
	}
	_, b, err := ws.Read(ctx)
	var t told
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	return ws, t, err
}

func TestStreamsAreGuarded(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	for _, origin := range []string{"", "http://evil.example", "http://127.0.0.1:1", "null"} {
		if _, _, err := w.dial(origin, `{"token":"`+token+`","method":"GET","path":"/events"}`); err == nil {
			t.Errorf("origin %q: a websocket was opened", origin)
		}
	}
	for first, want := range map[string]int{
		`{"method":"GET","path":"/events"}`:             401,
		`{"token":"x","method":"GET","path":"/events"}`: 401,
		`not json`: 400,
		`{"token":"` + token + `","method":"GET","path":"http://evil.example/events"}`: 400,
		`{"token":"` + token + `","method":"GET","path":"/containers/../events"}`:      403,
		`{"token":"` + token + `","method":"POST","path":"/build","hijack":true}`:      403,
	} {
		if _, got, err := w.dial(w.base, first); err != nil || got.Status != want {
			t.Errorf("%s: %+v, %v; want %d", first, got, err, want)
		}
	}
	if seen := w.asked(); len(seen) > 0 {
		t.Errorf("reached the engine: %q", seen)
	}
}

func TestATerminalGoesBothWays(t *testing.T) {
	w := newWorld(t)
	ws, got, err := w.dial(w.base, `{"token":"`+w.login()+`","method":"POST","path":"/exec/abc/start","body":{"Tty":true},"hijack":true}`)
	if err != nil || got.Status != 101 {
		t.Fatalf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageBinary, []byte("ls\n")); err != nil {
		t.Fatal(err)
	}
	if kind, b, err := ws.Read(ctx); err != nil || kind != websocket.MessageBinary || string(b) != "ls\n" {
		t.Errorf("%v %q %v", kind, b, err)
	}
}

func TestAFloodWaitsForThePage(t *testing.T) {
	w := newWorld(t)
	ws, got, err := w.dial(w.base, `{"token":"`+w.login()+`","method":"GET","path":"/containers/x/logs"}`)
	if err != nil || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ws.SetReadLimit(1 << 20)
	sum := 0
	for sum < window { // all that is sent unseen
		_, b, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sum += len(b)
	}
	type result struct {
		n   int
		err error
	}
	next := make(chan result, 1)
	go func() { _, b, err := ws.Read(ctx); next <- result{len(b), err} }()
	select {
	case r := <-next:
		t.Fatalf("%d bytes more than the page has room for: %v", r.n, r.err)
	case <-time.After(300 * time.Millisecond):
	}
	ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"shown":%d}`, sum))
	if r := <-next; r.err != nil || r.n == 0 {
		t.Errorf("after it was shown: %d, %v", r.n, r.err)
	}
}

func TestADownloadWorksOnce(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	if code, _, _ := w.do("POST", "/ticket", `{"container":"../x","path":"/"}`, bearer(token)); code != 403 {
		t.Errorf("a ticket for another path: %d", code)
	}
	code, body, _ := w.do("POST", "/ticket", `{"container":"web","path":"/etc/a b"}`, bearer(token))
	var out struct{ Address string }
	if json.Unmarshal([]byte(body), &out); code != 200 || out.Address == "" {
		t.Fatalf("%d %s", code, body)
	}
	if code, body, h := w.do("GET", out.Address, "", nil); code != 200 || body != "a tar of a directory" || h.Get("Content-Disposition") != `attachment; filename="a b.tar"` {
		t.Errorf("%d %q %v", code, body, h)
	}
	if code, _, _ := w.do("GET", out.Address, "", nil); code != 404 {
		t.Errorf("a second time: %d", code)
	}
	if got := strings.Join(w.asked(), "\n"); got != "GET /containers/web/archive?path=%2Fetc%2Fa+b" {
		t.Errorf("engine was asked %q", got)
	}
}

func TestFoldersAndPorts(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	home := w.server.cfg.About.Home
	os.Mkdir(home+"/site", 0o755)
	os.WriteFile(home+"/file", nil, 0o644)
	if code, body, _ := w.do("GET", "/local/folders", "", bearer(token)); code != 200 || !strings.Contains(body, `"folders":["site"]`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body, _ := w.do("GET", "/local/folders?path=etc", "", bearer(token)); code != 400 {
		t.Errorf("%d %s", code, body)
	}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := port(l.Addr().String())
	if code, body, _ := w.do("GET", "/local/port?port="+taken, "", bearer(token)); code != 200 || !strings.Contains(body, `"free":false`) || !strings.Contains(body, `"next":`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _, _ := w.do("GET", "/local/port?port=70000", "", bearer(token)); code != 400 {
		t.Errorf("70000 is taken for a port: %d", code)
	}
}

func TestLinesOfRun(t *testing.T) {
	w := newWorld(t)
	token := w.login()
	code, body, _ := w.do("POST", "/local/parse-run", `{"line":"docker run -d --name web -p 8080:80 nginx"}`, bearer(token))
	var line struct {
		Name   string
		Create json.RawMessage
	}
	if json.Unmarshal([]byte(body), &line); code != 200 || line.Name != "web" {
		t.Fatalf("%d %s", code, body)
	}
	if code, body, _ = w.do("POST", "/local/run-line", `{"name":"web","create":`+string(line.Create)+`}`, bearer(token)); code != 200 || !strings.Contains(body, "berth run -d --name web -p 8080:80 nginx") && !strings.Contains(body, "--publish 8080:80") {
		t.Errorf("%d %s", code, body)
	}
	if code, body, _ = w.do("POST", "/local/parse-run", `{"line":"rm -rf /"}`, bearer(token)); code != 400 || !strings.Contains(body, "docker run") {
		t.Errorf("%d %s", code, body)
	}
}
