//go:build linux || darwin

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/ui"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/paths"
)

// window serves the page of berth ui for one engine, until nobody looks at it. berth ui starts it.
func window(args []string, stderr io.Writer) int {
	q := endpoint.Query{ConfigDir: config.Dir(), Getenv: os.Getenv}
	f := flag.NewFlagSet("ui", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&q.Host, "host", "", "the engine's address")
	f.StringVar(&q.Context, "context", "", "the docker context that names the engine")
	f.StringVar(&q.ConfigDir, "config", q.ConfigDir, "the directory of docker's configuration")
	if err := f.Parse(args); err != nil || f.NArg() > 0 {
		return 2
	}
	if err := serveWindow(q, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintln(stderr, "berth-hostagent:", err)
		return 1
	}
	return 0
}

func serveWindow(q endpoint.Query, log *slog.Logger) error {
	ep, err := endpoint.Resolve(q)
	if err != nil {
		return err
	}
	layout := paths.WindowFor(ep.Host, os.Getenv)
	if err := os.MkdirAll(layout.Dir, 0o700); err != nil {
		return err
	}
	lock, err := alone(layout.Lock())
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	d := &endpoint.Dialer{Endpoint: ep, NoStart: true} // a page that looks on starts nothing
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return ui.Serve(ctx, ui.Config{
		Layout: layout, About: about(ep), Dial: d.Dial, Credentials: credentials(q.ConfigDir),
		Machines: func() []paths.Machine { return paths.Machines(os.Getenv) },
	}, log)
}

func about(ep endpoint.Endpoint) ui.About {
	a := ui.About{Engine: ep.Host, Context: ep.Context, Version: buildinfo.Version()}
	socket, local := strings.CutPrefix(ep.Host, "unix://")
	a.Local = local
	if m, ok := paths.MachineAt(socket, os.Getenv); local && ok {
		a.Machine = m.Name
	}
	if home, err := os.UserHomeDir(); err == nil {
		a.Home = filepath.Clean(home)
	}
	return a
}

// alone takes the lock and writes this process into it.
func alone(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another server has %s: %w", file, err)
	}
	return f, nil
}

// credentials looks an image's registry up in the person's configuration.
func credentials(dir string) func(image string) string {
	return func(image string) string {
		named, err := reference.ParseNormalizedNamed(image)
		if err != nil {
			return ""
		}
		c, err := config.Load(dir)
		if err != nil {
			return ""
		}
		key := reference.Domain(named)
		if key == "docker.io" {
			key = "https://index.docker.io/v1/"
		}
		got, err := c.GetAuthConfig(key)
		if err != nil || (got.Username == "" && got.IdentityToken == "" && got.RegistryToken == "") {
			return ""
		}
		encoded, err := authconfig.Encode(registry.AuthConfig{
			Username: got.Username, Password: got.Password, ServerAddress: got.ServerAddress, IdentityToken: got.IdentityToken, RegistryToken: got.RegistryToken,
		})
		if err != nil {
			return ""
		}
		return encoded
	}
}
