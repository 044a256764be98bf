package endpoint

import (
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

func env(kv map[string]string) func(string) string { return func(k string) string { return kv[k] } }

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	store := Contexts{Dir: dir}
	for _, c := range []Context{{Name: "far", Host: "tcp://far:2376"}, {Name: "near", Host: "unix:///near.sock"}} {
		if err := store.Create(c); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{"BERTH_HOST": "unix:///b", "DOCKER_HOST": "unix:///d", "DOCKER_CONTEXT": "far"}
	for _, c := range []struct {
		name string
		q    Query
		env  map[string]string
		host string
		src  Source
		kind errdefs.Kind
	}{
		{name: "nothing said", host: "unix:///run/berth/engine.sock", src: SourceDefault},
		{name: "BERTH_ROOT moves the socket", env: map[string]string{"BERTH_ROOT": "/r"}, host: "unix:///r/run/engine.sock", src: SourceDefault},
		{name: "the flag wins", q: Query{Host: "tcp://h", Current: "near"}, env: all, host: "tcp://h:2375", src: SourceFlag},
		{name: "the flag's context wins", q: Query{Context: "near"}, env: all, host: "unix:///near.sock", src: SourceFlag},
		{name: "BERTH_HOST before DOCKER_HOST", env: all, host: "unix:///b", src: SourceEnv},
		{name: "DOCKER_HOST before contexts", env: map[string]string{"DOCKER_HOST": "/d", "DOCKER_CONTEXT": "far"}, host: "unix:///d", src: SourceEnv},
		{name: "DOCKER_CONTEXT before the current one", q: Query{Current: "near"}, env: map[string]string{"DOCKER_CONTEXT": "far"}, host: "tcp://far:2376", src: SourceEnv},
		{name: "the current context", q: Query{Current: "near"}, host: "unix:///near.sock", src: SourceContext},
		{name: "default is our own", q: Query{Current: "default"}, host: "unix:///run/berth/engine.sock", src: SourceContext},
		{name: "no such context", q: Query{Context: "none"}, kind: errdefs.KindNotFound},
		{name: "both flags", q: Query{Host: "unix:///x", Context: "near"}, kind: errdefs.KindInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.ConfigDir, c.q.Getenv = dir, env(c.env)
			e, err := resolve("linux", c.q)
			if c.kind != errdefs.KindUnknown {
				if errdefs.KindOf(err) != c.kind {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil || e.Host != c.host || e.Source != c.src {
				t.Fatalf("got %s (source %d), error %v", e.Host, e.Source, err)
			}
		})
	}
}

// Outside Linux the engine that is meant when nothing is said lives in the machine called default.
func TestTheDefaultOutsideLinuxIsTheMachine(t *testing.T) {
	getenv := env(map[string]string{"BERTH_ROOT": "/r"})
	machine := paths.MachineNamed(paths.DefaultMachine, getenv)
	for goos, host := range map[string]string{"darwin": "unix://" + machine.DockerSocket(), "windows": "npipe:////./pipe/berth_engine"} {
		for _, q := range []Query{{}, {Current: "default"}, {Context: "default"}} {
			q.Getenv = getenv
			e, err := resolve(goos, q)
			if err != nil || e.Host != host || e.IsOwn() {
				t.Errorf("%s: %+v, %v", goos, e, err)
			}
			if m, ok := e.Machine(getenv); !ok || m != machine {
				t.Errorf("%s: the machine is %+v, %v", goos, m, ok)
			}
		}
		e, err := resolve(goos, Query{Host: "tcp://far:2375", Getenv: getenv})
		if _, ok := e.Machine(getenv); ok || err != nil {
			t.Errorf("%s: another's engine is in a machine (%v)", goos, err)
		}
	}
}

func TestPipeNames(t *testing.T) {
	for in, want := range map[string]string{
		"//./pipe/berth_engine": `\\.\pipe\berth_engine`, `\\.\PIPE\x`: `\\.\PIPE\x`,
		"//server/pipe/x": "", "//./pipe/": "", "x": "", "": "", "//./c:/x": "",
	} {
		got, err := pipeName(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseHost(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b": "unix:///a/b", "unix:///a": "unix:///a", "tcp://h": "tcp://h:2375", "h:1": "tcp://h:1",
		"tcp://[::1]:5": "tcp://[::1]:5", "npipe:////./pipe/x": "npipe:////./pipe/x",
		"": "", "unix://": "", "ssh://u@h": "", "ftp://h": "",
	} {
		got, err := ParseHost(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
		if err != nil && errdefs.HintOf(err) == "" {
			t.Errorf("%q: no hint in %v", in, err)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	f.Add("tcp://[::1]")
	f.Add("unix://")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHost(s)
		if err != nil {
			return
		}
		if again, err := ParseHost(h); err != nil || again != h {
			t.Fatalf("%q became %q and then %q (%v)", s, h, again, err)
		}
	})
}
