package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/berthhq/berth/vmimage/rootfs"
)

// programs builds berth's programs for the guest into dir and gives those that lie below /usr.
func (o options) programs(ctx context.Context, dir string) ([]rootfs.File, error) {
	var out []rootfs.File
	for _, name := range []string{"berth-guestagent", "berth-engine", "berth-netd", "berth-init", "berth-sharerelay", "berth-supervisor"} {
		file := filepath.Join(cmp.Or(o.prebuilt, dir), name)
		if o.prebuilt == "" {
			if err := o.build(ctx, name, file); err != nil {
				return nil, fmt.Errorf("building %s: %w", name, err)
			}
		}
		if name == "berth-guestagent" {
			continue // it is the initramfs's own
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		out = append(out, rootfs.File{Name: "libexec/berth/" + name, Mode: 0o755, Data: b})
	}
	return out, nil
}

func (o options) build(ctx context.Context, name, file string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", file}
	env := append(os.Environ(), "GOOS=linux", "GOARCH="+o.arch, "CGO_ENABLED=0")
	ldflags := o.ldflags + " -buildid="
	if name == "berth-supervisor" { // libcontainer's seccomp needs C
		args = append(args, "-tags", "netgo osusergo seccomp")
		ldflags += " -extldflags '-static -Wl,--build-id=none'"
		env = append(env, "CGO_ENABLED=1")
		if o.arch != runtime.GOARCH {
			triple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[o.arch]
			env = append(env, "CC="+triple+"-gcc", "PKG_CONFIG_PATH=/usr/lib/"+triple+"/pkgconfig")
		}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-ldflags", ldflags, "./cmd/"+name)...)
	cmd.Env = env
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, b)
	}
	return nil
}
