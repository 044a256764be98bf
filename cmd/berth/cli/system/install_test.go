//go:build linux

package system

import (
	"context"
	"errors"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// fakeHost is a machine in a directory, whose systemctl writes down what it was told.
func fakeHost(t *testing.T) (h host, told *[]string, engine string) {
	t.Helper()
	root := t.TempDir()
	told = &[]string{}
	engine = "/bin/sh" // root's, as all above it
	h = host{root: root, engine: func() (string, error) { return engine, nil }, systemctl: func(_ context.Context, args ...string) error {
		*told = append(*told, strings.Join(args, " "))
		return nil
	}}
	return h, told, engine
}

func boot(t *testing.T, h host) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(h.root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func own(t *testing.T) endpoint.Endpoint { return endpoint.Endpoint{Layout: paths.For(t.TempDir())} }

func TestInstallAndUninstall(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whose programs are root's is told as root")
	}
	h, told, engine := fakeHost(t)
	boot(t, h)
	for range 2 {
		if err := h.install(context.Background(), own(t)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(h.unitPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`ExecStart="` + engine + `"`, "Type=notify", "KillMode=process", "Delegate=yes", "WantedBy=multi-user.target"} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("the unit lacks %s:\n%s", want, text)
		}
	}
	if got := strings.Join((*told)[:3], "; "); got != "daemon-reload; enable berth.service; restart berth.service" {
		t.Errorf("systemd was told %s", got)
	}
	if err := h.uninstall(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.unitPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unit is left: %v", err)
	}
	if err := h.uninstall(context.Background()); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("again: %v", err)
	}
}

func TestInstallRefusals(t *testing.T) {
	h, _, _ := fakeHost(t)
	if err := h.install(context.Background(), own(t)); err == nil || !strings.Contains(err.Error(), "systemd does not run here") {
		t.Errorf("without systemd: %v", err)
	}
	boot(t, h)
	anybodys := filepath.Join(t.TempDir(), "berth-engine")
	if err := os.WriteFile(anybodys, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(anybodys, 0o777); err != nil {
		t.Fatal(err)
	}
	h.engine = func() (string, error) { return anybodys, nil }
	if err := h.install(context.Background(), own(t)); err == nil || !strings.Contains(err.Error(), "could be replaced by others than root") {
		t.Errorf("a program that all may write: %v", err)
	}
	if _, err := os.Stat(h.unitPath()); err == nil {
		t.Error("a unit was written all the same")
	}
}

func TestQuoteUnit(t *testing.T) {
	if got := quoteUnit(`/opt/a b/100%$x"\e`); got != `"/opt/a b/100%%$$x\"\\e"` {
		t.Error(got)
	}
}

func TestTheContextComesAndGoes(t *testing.T) {
	ep, store := own(t), endpoint.Contexts{Dir: t.TempDir()}
	s := session.New(session.Streams{Out: io.Discard}, os.Getenv)
	for range 2 {
		if err := addContext(s, ep, store); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := store.Get("berth"); err != nil || c.Host != "unix://"+ep.Layout.Socket() {
		t.Fatalf("context %+v, %v", c, err)
	}
	for range 2 {
		if err := dropContext(ep, store); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Get("berth"); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("the context is left: %v", err)
	}
	theirs := endpoint.Context{Name: "berth", Host: "tcp://far:2376"}
	if err := store.Create(theirs); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(addContext(s, ep, store), dropContext(ep, store)); err != nil {
		t.Fatal(err)
	}
	if c, err := store.Get("berth"); err != nil || c != theirs {
		t.Errorf("somebody's own context became %+v, %v", c, err)
	}
}

func TestTheInvokersFilesAreTheInvokers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming somebody else wants root")
	}
	env := func(uid string) func(string) string {
		return func(string) string { return uid }
	}
	who, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("there is no nobody here")
	}
	out, ok, err := asInvoker(t.Context(), env(who.Uid), "/bin/sh", "-c", "id -u; id -G; echo $HOME")
	if want := who.Uid + "\n" + who.Gid + "\n" + who.HomeDir; out != want || !ok || err != nil {
		t.Errorf("as %q, %v, %v; want %q", out, ok, err, want)
	}
	for _, uid := range []string{"", "0", "x"} {
		if out, ok, err := asInvoker(t.Context(), env(uid), "/bin/sh", "-c", "id -u"); out != "" || ok || err != nil {
			t.Errorf("SUDO_UID=%s: %q, %v, %v", uid, out, ok, err)
		}
	}
}
