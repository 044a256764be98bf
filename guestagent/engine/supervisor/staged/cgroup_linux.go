//go:build cgo && seccomp

package staged

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/park"
	"github.com/opencontainers/cgroups"
	_ "github.com/opencontainers/cgroups/devices" // sets device rules
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// cgroup is a container's, made with the device rules of its kind before the container is known.
type cgroup struct {
	cgroups.Manager
	defaults *cgroups.Resources
	setting  *sync.Mutex // shared by all: the library remembers file names of the machine without a lock
}

// set applies limits.
func (c *cgroup) set(r *cgroups.Resources) error {
	c.setting.Lock()
	defer c.setting.Unlock()
	return c.Manager.Set(r)
}

// idBytes is the length of a cgroup's name, before it is written in hexadecimal.
const idBytes = 16

// newCgroup names a cgroup, below parent where its kind names none. It is created when a process is put into it.
func newCgroup(parent string, k *kind, setting *sync.Mutex) (*cgroup, error) {
	at := k.Cgroup
	if at == "" {
		var id [idBytes]byte
		if _, err := rand.Read(id[:]); err != nil {
			return nil, err
		}
		at = path.Join(parent, hex.EncodeToString(id[:]))
	}
	r, err := resources(&specs.LinuxResources{Devices: k.Devices})
	if err != nil {
		return nil, err
	}
	m, err := manager.New(&cgroups.Cgroup{Path: at, Resources: r})
	if err != nil {
		return nil, err
	}
	return &cgroup{Manager: m, defaults: r, setting: setting}, nil
}

// Place creates the cgroup, sets the device rules and says how to get in.
func (c *cgroup) Place() (park.Place, error) {
	if err := c.Apply(-1); err != nil {
		return park.Place{}, err
	}
	if err := c.set(c.defaults); err != nil {
		return park.Place{}, err
	}
	return c.place()
}

// place says how to get into a cgroup that exists.
func (c *cgroup) place() (p park.Place, err error) {
	seen := map[string]bool{}
	for _, dir := range c.GetPaths() {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		tasks := filepath.Join(dir, "tasks")
		if _, err := os.Stat(tasks); err == nil {
			p.Tasks = append(p.Tasks, tasks)
			continue
		}
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
			continue // of a controller that is not mounted
		}
		if p.Unified, err = os.Open(dir); err != nil {
			return p, err
		}
	}
	return p, nil
}

// resources translates the specification's limits into the cgroup library's.
func resources(r *specs.LinuxResources) (*cgroups.Resources, error) {
	var allowed []*devices.Device
	if len(r.Devices) > 0 { // the devices that every container has, as runc allows them
		allowed = specconv.AllowedDevices
	}
	c, err := specconv.CreateCgroupConfig(&specconv.CreateOpts{Spec: &specs.Spec{Linux: &specs.Linux{Resources: r}}}, allowed)
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	return c.Resources, nil
}

// settled is how old a cgroup must be to be taken for abandoned: a younger one may be another engine's, about to be used.
const settled = time.Minute

// sweep removes the empty cgroups that processes parked by an earlier supervisor left when it was killed. One that has
// a process in it cannot be removed (rmdir gives EBUSY).
func sweep(parent string) {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		list, err := filepath.Glob(filepath.Join(root, parent, strings.Repeat("[0-9a-f]", 2*idBytes)))
		if err != nil {
			return // the pattern is ours and well formed
		}
		for _, dir := range list {
			if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > settled {
				unix.Rmdir(dir)
			}
		}
	}
}
