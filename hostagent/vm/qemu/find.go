//go:build linux

package qemu

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/berthhq/berth/internal/errdefs"
)

// Program is a QEMU that was found.
type Program struct {
	Path         string
	Major, Minor int
}

func (p Program) String() string { return fmt.Sprintf("QEMU %d.%d", p.Major, p.Minor) }

// programName is QEMU's name by the guest's architecture.
func programName(arch string) string {
	if arch == "arm64" {
		return "qemu-system-aarch64"
	}
	return "qemu-system-x86_64"
}

// find looks for QEMU in PATH and asks for its version.
func find(ctx context.Context, arch string) (Program, error) {
	name := programName(arch)
	path, err := exec.LookPath(name)
	if err != nil {
		return Program{}, errdefs.Unavailable("%s is not installed", name).WithHint("install the package qemu-system-%s", map[string]string{"arm64": "arm"}[arch]+map[string]string{"amd64": "x86"}[arch])
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Program{}, fmt.Errorf("asking %s for its version: %w", path, err)
	}
	p, err := parseVersion(string(out))
	p.Path = path
	if err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// oldest is the first QEMU whose vhost-user-vsock this is known to work with.
const oldest = 6

func parseVersion(out string) (p Program, err error) {
	m := regexp.MustCompile(`version (\d+)\.(\d+)`).FindStringSubmatch(out)
	if m == nil {
		return p, fmt.Errorf("no version in %.80q", out)
	}
	p.Major, _ = strconv.Atoi(m[1])
	p.Minor, _ = strconv.Atoi(m[2])
	if p.Major < oldest {
		return p, fmt.Errorf("%s is too old, %d is needed", p, oldest)
	}
	return p, nil
}
