package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// engine is an engine whose answers a test gives, on a socket of its own.
func engine(t *testing.T, answers map[string]func(http.ResponseWriter, *http.Request)) (host string) {
	t.Helper()
	sock := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Skip("no unix sockets here")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if i := strings.Index(path[1:], "/"); strings.HasPrefix(path, "/v1.") && i > 0 {
			path = path[i+1:]
		}
		if f := answers[r.Method+" "+path]; f != nil {
			f(w, r)
			return
		}
		w.Header().Set("Api-Version", "1.56")
		if path == "/_ping" {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		json.NewEncoder(w).Encode(map[string]string{"message": "No such container: " + filepath.Base(filepath.Dir(path))})
	})
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "unix://" + sock
}

func berth(t *testing.T, host, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var o, e bytes.Buffer
	env := map[string]string{"BERTH_HOST": host, "BERTH_ROOT": t.TempDir()}
	code = Run(context.Background(), args, Streams{In: strings.NewReader(stdin), Out: &o, Err: &e}, func(k string) string { return env[k] })
	return code, o.String(), e.String()
}

func answer(status int, v any) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if v != nil {
			json.NewEncoder(w).Encode(v)
		}
	}
}

func TestEveryVerbHasHelp(t *testing.T) {
	var walk func(c *cobra.Command, path []string)
	n := 0
	walk = func(c *cobra.Command, path []string) {
		for _, sub := range c.Commands() {
			walk(sub, append(path[:len(path):len(path)], sub.Name()))
		}
		n++
		code, out, errs := berth(t, "unix:///nowhere", "", append(path, "--help")...)
		if code != 0 || !strings.Contains(out, "Usage:") {
			t.Errorf("%v: exit code %d, %q, %q", path, code, out, errs)
		}
	}
	walk(newRoot(session.New(Streams{}, func(string) string { return "" })), nil)
	if n < 50 {
		t.Errorf("only %d verbs", n)
	}
}

func TestMistakes(t *testing.T) {
	host := engine(t, nil)
	for name, tc := range map[string]struct {
		args []string
		code int
		text string
	}{
		"unknown verb":      {[]string{"runn"}, 1, "unknown command"},
		"unknown flag":      {[]string{"run", "--nope", "x"}, 125, "unknown flag: --nope"},
		"no image":          {[]string{"run"}, 1, "requires at least 1 arg"},
		"bad port":          {[]string{"run", "-p", "x:y:z:w", "img"}, 125, "invalid"},
		"bad memory":        {[]string{"run", "-m", "lots", "img"}, 125, "invalid"},
		"rm and restart":    {[]string{"run", "--rm", "--restart", "always", "img"}, 125, "conflicting options"},
		"bad detach keys":   {[]string{"run", "--detach-keys", "ctrl-", "img"}, 125, "detach keys"},
		"bad pull":          {[]string{"run", "--pull", "often", "img"}, 125, "invalid pull option"},
		"tty without one":   {[]string{"run", "-it", "img"}, 125, "not a terminal"},
		"attach and d":      {[]string{"run", "-d", "-i", "-a", "stdin", "img"}, 125, "conflicting options"},
		"missing container": {[]string{"logs", "ghost"}, 1, "No such container: ghost"},
		"update nothing":    {[]string{"update", "x"}, 1, "one or more flags"},
		"bad format":        {[]string{"inspect", "-f", "{{.", "x"}, 1, "template parsing error"},
		"nobody answers":    {[]string{"-H", "unix:///nowhere/at/all", "ps"}, 1, "no engine answers"},
		"bad env":           {[]string{"run", "-e", "=x", "img"}, 125, "invalid"},
		"bad mount":         {[]string{"run", "--mount", "type=magic,target", "img"}, 125, "invalid"},
		"bad health":        {[]string{"run", "--no-healthcheck", "--health-cmd", "x", "img"}, 125, "conflicts"},
		"bad device":        {[]string{"run", "--device", "/dev/x:y:rwz", "img"}, 125, "invalid device"},
		"copy nowhere":      {[]string{"cp", "a", "b"}, 1, "container source"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := berth(t, host, "", tc.args...)
			if code != tc.code || !strings.Contains(errs, tc.text) || out != "" {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

func TestMistypedVerbGetsASuggestion(t *testing.T) {
	if code, _, errs := berth(t, "", "", "rnu"); code != 1 || !strings.Contains(errs, "Did you mean 'berth run'?") {
		t.Errorf("exit code %d, stderr %q", code, errs)
	}
}

func TestBareBerthSaysHowToBegin(t *testing.T) {
	if code, out, _ := berth(t, "", ""); code != 0 || !strings.Contains(out, "berth run -it") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestVerbsOnSeveralObjects(t *testing.T) {
	host := engine(t, map[string]func(http.ResponseWriter, *http.Request){
		"POST /containers/a1/stop": answer(http.StatusNoContent, nil), "POST /containers/a2/stop": answer(http.StatusNoContent, nil),
	})
	code, out, errs := berth(t, host, "", "stop", "a1", "ghost", "a2")
	if code != 1 || out != "a1\na2\n" || !strings.Contains(errs, "No such container: ghost") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
}

func TestList(t *testing.T) {
	host := engine(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/json": answer(http.StatusOK, []map[string]any{{
			"Id": strings.Repeat("c0ffee", 10), "Names": []string{"/web"}, "Image": "nginx", "Command": "nginx", "State": "running", "Status": "Up 2 minutes",
		}}),
	})
	_, out, _ := berth(t, host, "", "ps")
	if !strings.Contains(out, "CONTAINER ID") || !strings.Contains(out, "c0ffeec0ffee") || !strings.Contains(out, "web") {
		t.Errorf("table %q", out)
	}
	if _, out, _ := berth(t, host, "", "ps", "-q"); out != "c0ffeec0ffee\n" {
		t.Errorf("quiet %q", out)
	}
	if _, out, _ := berth(t, host, "", "ps", "--format", "{{.Names}}: {{.Status}}"); out != "web: Up 2 minutes\n" {
		t.Errorf("template %q", out)
	}
}

func TestRunDetached(t *testing.T) {
	var created map[string]any
	host := engine(t, map[string]func(http.ResponseWriter, *http.Request){
		"POST /containers/create": func(w http.ResponseWriter, r *http.Request) {
			json.NewDecoder(r.Body).Decode(&created)
			answer(http.StatusCreated, map[string]any{"Id": "abc", "Warnings": []string{"careful"}})(w, r)
		},
		"POST /containers/abc/start": answer(http.StatusNoContent, nil),
	})
	code, out, errs := berth(t, host, "", "run", "-d", "-e", "K=v", "-p", "127.0.0.1:8080:80/udp", "-v", "/a:/b:ro", "--name", "web", "-l", "x=y", "img", "sh", "-c", "x")
	if code != 0 || out != "abc\n" || !strings.Contains(errs, "WARNING: careful") {
		t.Fatalf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
	b, _ := json.Marshal(created)
	for _, want := range []string{`"K=v"`, `"80/udp"`, `"HostPort":"8080"`, `"/a:/b:ro"`, `"Cmd":["sh","-c","x"]`, `"x":"y"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the request lacks %s: %s", want, b)
		}
	}
}

func TestExitCodesOfAStart(t *testing.T) {
	for text, want := range map[string]int{
		`exec: "x": executable file not found in $PATH`: 127, `exec: "/x": permission denied`: 126, `exec: "/etc": is a directory`: 126, "the cat ate it": 125,
	} {
		host := engine(t, map[string]func(http.ResponseWriter, *http.Request){
			"POST /containers/create":    answer(http.StatusCreated, map[string]any{"Id": "abc"}),
			"POST /containers/abc/start": answer(http.StatusBadRequest, map[string]string{"message": text}),
		})
		code, _, errs := berth(t, host, "", "run", "-d", "img")
		if code != want || strings.Count(errs, "\n") != 2 {
			t.Errorf("%s: exit code %d, stderr %q", text, code, errs)
		}
	}
}

func TestLogin(t *testing.T) {
	host := engine(t, map[string]func(http.ResponseWriter, *http.Request){
		"POST /auth": func(w http.ResponseWriter, r *http.Request) {
			var a map[string]string
			json.NewDecoder(r.Body).Decode(&a)
			if a["password"] != "right" {
				answer(http.StatusUnauthorized, map[string]string{"message": "unauthorized: incorrect username or password"})(w, r)
				return
			}
			answer(http.StatusOK, map[string]string{"Status": "Login Succeeded"})(w, r)
		},
	})
	if code, _, errs := berth(t, host, "wrong\n", "login", "-u", "me", "--password-stdin", "r.example"); code != 1 || !strings.Contains(errs, "unauthorized") {
		t.Errorf("exit code %d, stderr %q", code, errs)
	}
	if code, out, errs := berth(t, host, "right\n", "login", "-u", "me", "--password-stdin", "r.example"); code != 0 || out != "Login Succeeded\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
}
