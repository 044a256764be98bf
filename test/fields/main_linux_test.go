package fields

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/client"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// object is a JSON object as it came.
type object = map[string]any

// want fails where two values differ.
func want(w *harness.World, what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s: %v (%T), not %v (%T)", what, got, got, want, want)
	}
}

// plain is a value as JSON has it.
func plain(w *harness.World, v any) (out any) {
	w.Helper()
	b, err := json.Marshal(v)
	w.Must(err)
	w.Must(json.Unmarshal(b, &out))
	return out
}

// holds fails for each field of asked that got does not have with the same value; got may have more. A list is
// compared element by element, and must be as long.
func holds(w *harness.World, what string, got, asked any) {
	w.Helper()
	for _, d := range missing(what, plain(w, got), plain(w, asked)) {
		w.Error(d)
	}
}

func missing(way string, got, asked any) (out []string) {
	switch a := asked.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for k, v := range a {
			out = append(out, missing(way+"."+k, g[k], v)...)
		}
		slices.Sort(out)
		return out
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(a) {
			break
		}
		for i, v := range a {
			out = append(out, missing(fmt.Sprintf("%s[%d]", way, i), g[i], v)...)
		}
		return out
	}
	if !reflect.DeepEqual(got, asked) {
		out = append(out, fmt.Sprintf("%s: %v, not %v", way, got, asked))
	}
	return out
}

// ask asks the API, which must answer with this status, and gives the answer.
func ask(w *harness.World, status int, method, path string, body any) []byte {
	w.Helper()
	req := bytes.NewReader(nil)
	if body != nil {
		b, err := json.Marshal(body)
		w.Must(err)
		req = bytes.NewReader(b)
	}
	got, text := w.Raw(method, path, req)
	if got != status {
		w.Fatalf("%s %s: status %d, %s", method, path, got, text)
	}
	return []byte(text)
}

// read asks for a JSON value.
func read[T any](w *harness.World, path string) (out T) {
	w.Helper()
	w.Must(json.Unmarshal(ask(w, http.StatusOK, http.MethodGet, path, nil), &out))
	return out
}

// file gives the text of a file, without the newline at its end.
func file(w *harness.World, parts ...string) string {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	w.Must(err)
	return strings.TrimSuffix(string(b), "\n")
}

// status gives a line of /proc/PID/status.
func status(w *harness.World, pid int, key string) string {
	w.Helper()
	for line := range strings.Lines(file(w, "/proc", strconv.Itoa(pid), "status")) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	w.Fatalf("process %d has no %s", pid, key)
	return ""
}

// cgroup is the directory of a process in a controller of cgroup v1.
func cgroup(w *harness.World, pid int, controller string) string {
	w.Helper()
	for line := range strings.Lines(file(w, "/proc", strconv.Itoa(pid), "cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && slices.Contains(strings.Split(f[1], ","), controller) {
			return filepath.Join("/sys/fs/cgroup", controller, f[2])
		}
	}
	w.Skipf("this machine has no controller %s of cgroup v1", controller)
	return ""
}

func number(w *harness.World, s string) uint64 {
	w.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	w.Must(err)
	return n
}

// binds mounts volumes and directories in the form of -v.
func binds(list ...string) func(*client.ContainerCreateOptions) {
	return func(o *client.ContainerCreateOptions) { o.HostConfig.Binds = list }
}
