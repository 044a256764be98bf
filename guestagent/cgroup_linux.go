package guestagent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The root of all cgroups, and the one of the agent's children, beside those of containers.
const (
	cgroupRoot    = "/sys/fs/cgroup"
	systemCgroups = cgroupRoot + "/system"
)

// delegate lets every controller of the kernel be used below a cgroup. It gives those that could not be.
func delegate(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var faults []error
	for _, c := range strings.Fields(string(b)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
			faults = append(faults, fmt.Errorf("cgroup controller %s: %w", c, err))
		}
	}
	return errors.Join(faults...)
}

// systemCgroup makes the cgroup of one of the agent's children and opens it.
func systemCgroup(name string) (*os.File, error) {
	dir := filepath.Join(systemCgroups, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return os.Open(dir)
}
