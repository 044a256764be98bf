// Package record notes which parts of the API a test used: every request that it sent and the shape of the answer, for
// docs/api-coverage.md. It does so only where BERTH_COVERAGE names a directory, as make coverage does.
package record

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moby/moby/client"
)

// Env names the directory of the notes.
const Env = "BERTH_COVERAGE"

// Note is one exchange. A field is the way to it: the keys, and [] for any element of a list.
type Note struct {
	Test   string // package.TestName
	Method string
	Path   string
	Query  []string
	Header []string
	Body   [][]string
	Answer [][]string
}

// most is how much of an answer is looked at.
const most = 4 << 20

// Options connect moby's client to a socket, with notes where they are wanted.
func Options(socket string) []client.Opt {
	opts := []client.Opt{client.WithHost("unix://" + socket)}
	if os.Getenv(Env) == "" {
		return opts
	}
	tr := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	return append(opts, client.WithHTTPClient(&http.Client{Transport: Transport{tr}}),
		client.WithHTTPResponseHook(func(r *http.Response) {
			if r.StatusCode == http.StatusSwitchingProtocols { // by a connection of its own
				Response(r)
			}
		}))
}

// Transport notes what passes through it.
type Transport struct{ http.RoundTripper }

// RoundTrip is the inner one's.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		Response(resp)
	}
	return resp, err
}

// Response notes an exchange of the test whose function is on the stack; the answer's shape when it has been read.
func Response(resp *http.Response) {
	dir, r := os.Getenv(Env), resp.Request
	if dir == "" || r == nil {
		return
	}
	n := Note{Test: cmp.Or(caller(), last()), Method: r.Method, Path: r.URL.Path, Query: keys(r.URL.Query()), Header: keys(r.Header)}
	if n.Test == "" {
		return
	}
	if resp.StatusCode >= http.StatusBadRequest { // it was asked, and nothing was done
		write(dir, Note{Test: n.Test, Method: n.Method, Path: n.Path})
		return
	}
	if r.GetBody != nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if b, err := r.GetBody(); err == nil {
			n.Body = Fields(b)
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols || !isJSON(resp.Header.Get("Content-Type")) {
		write(dir, n)
		return
	}
	resp.Body = &tee{ReadCloser: resp.Body, done: func(b []byte) {
		n.Answer = Fields(bytes.NewReader(bytes.ReplaceAll(b, []byte{recordSeparator}, nil)))
		write(dir, n)
	}}
}

// recordSeparator begins each text of application/json-seq (RFC 7464).
const recordSeparator = 0x1e

// isJSON tells a value, or several, by their type.
func isJSON(contentType string) bool {
	return strings.HasPrefix(contentType, "application/json") || strings.HasPrefix(contentType, "application/x-ndjson") || strings.HasPrefix(contentType, "application/jsonl")
}

// tee keeps what is read and tells of it once.
type tee struct {
	io.ReadCloser
	kept bytes.Buffer
	once sync.Once
	done func([]byte)
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.kept.Len() < most {
		t.kept.Write(p[:n])
	}
	return n, err
}

func (t *tee) Close() error {
	t.once.Do(func() { t.done(t.kept.Bytes()) })
	return t.ReadCloser.Close()
}

var testName = regexp.MustCompile(`([a-z]+)\.(Test[A-Z]\w*)`)

// caller is the test on the stack, "" if there is none.
func caller() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if m := testName.FindStringSubmatch(f.Function); m != nil {
			return m[1] + "." + m[2]
		}
		if !more {
			return ""
		}
	}
}

// begun is the test that was begun last.
var begun atomic.Pointer[string]

// Begin notes the test on the stack as the one that parts of it ask for, whose own stacks do not have it: subtests by
// functions of other names, and goroutines.
func Begin() {
	name := caller()
	begun.Store(&name)
}

func last() string {
	if name := begun.Load(); name != nil {
		return *name
	}
	return ""
}

func keys(m map[string][]string) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Fields are the fields of one or several JSON values.
func Fields(r io.Reader) (out [][]string) {
	seen := map[string]bool{}
	d := json.NewDecoder(r)
	for {
		var v any
		if d.Decode(&v) != nil {
			return out
		}
		walk(v, nil, func(way []string) {
			if k := strings.Join(way, "\t"); !seen[k] {
				seen[k] = true
				out = append(out, slices.Clone(way))
			}
		})
	}
}

func walk(v any, way []string, each func([]string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if inner == nil {
				continue
			}
			each(append(way, k))
			walk(inner, append(way, k), each)
		}
	case []any:
		for _, inner := range v {
			walk(inner, append(way, "[]"), each)
		}
	}
}

var writing sync.Mutex

func write(dir string, n Note) {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	writing.Lock()
	defer writing.Unlock()
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(os.Args[0])+".jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write(append(b, '\n')); err != nil {
		panic(err)
	}
}
