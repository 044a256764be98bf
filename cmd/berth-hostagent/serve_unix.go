//go:build linux || darwin

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/berthhq/berth/hostagent"
	"github.com/berthhq/berth/hostagent/bootimage"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/paths"
	"github.com/berthhq/berth/vmimage/manifest"
)

// serve is the Agent of one machine, until it is asked to end or a person has stopped the machine. Commands start it.
func serve(args []string, stderr io.Writer) int {
	name := paths.DefaultMachine
	if len(args) > 0 {
		name = args[0]
	}
	if len(args) > 1 || !paths.ValidMachine(name) {
		fmt.Fprintf(stderr, "berth-hostagent: %q is not the name of one machine\n", args)
		return 2
	}
	if err := serveMachine(paths.MachineNamed(name, os.Getenv), slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintln(stderr, "berth-hostagent:", err)
		return 1
	}
	return 0
}

func serveMachine(l paths.Machine, log *slog.Logger) error {
	a, err := hostagent.New(hostagent.Config{
		Layout: l, Drivers: drivers(), Driver: preferred, Arch: runtime.GOARCH, Log: log,
		Images: bootimage.Store{Installed: installed(runtime.GOARCH), Kept: l.ImagesDir()}, Digest: bootimage.Digest(),
	})
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.Info("serving", "machine", l.Name, "pid", os.Getpid(), "docker", l.DockerSocket())
	return a.Serve(ctx)
}

// installed is the directory of the image that came with this program: beside it, or where an installation has it.
func installed(arch string) string {
	dirs := endpoint.ProgramDirs([]string{"/usr/local/libexec/berth", "/usr/libexec/berth"})
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "vm", arch, manifest.Name)); err == nil {
			return filepath.Join(d, "vm", arch)
		}
	}
	return filepath.Join(dirs[0], "vm", arch)
}
