//go:build cgo && seccomp

package libct

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Starter starts containers. Safe for concurrent use.
type Starter struct {
	state string // libcontainer's state directory
}

// New makes a starter that keeps libcontainer's state below state and mounts roots below rootfs.
func New(state, rootfs string) (*Starter, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	if err := keepPrivate(rootfs); err != nil {
		return nil, err
	}
	return &Starter{state: state}, nil
}

// Supports is true of every container.
func (*Starter) Supports(*proto.Start) bool { return true }

// Start starts a container. When it fails nothing of it is left. Errors: *proto.Error where the command or the
// specification is at fault.
func (s *Starter) Start(id string, in *proto.Start, stdio [3]*os.File) (*Container, *os.Process, *os.File, error) {
	if err := mountRoot(in); err != nil {
		return nil, nil, nil, fmt.Errorf("container %s: %w", id, err)
	}
	c, p, master, err := s.begin(id, in, stdio)
	uerr := unmountRoot(in.RootfsPath) // the container has its own by now
	if err == nil && uerr != nil {
		p.Kill()
		p.Wait()
		c.Destroy()
		err = uerr
	}
	if err != nil {
		os.Remove(in.RootfsPath)
		return nil, nil, nil, err
	}
	return c, p, master, nil
}

func (s *Starter) begin(id string, in *proto.Start, stdio [3]*os.File) (*Container, *os.Process, *os.File, error) {
	spec, err := resolve(in)
	if err != nil {
		return nil, nil, nil, invalid(err)
	}
	done, err := joinOwner(spec)
	if err != nil {
		return nil, nil, nil, err
	}
	defer done()
	c, err := s.create(id, spec, in.Systemd)
	if err != nil {
		return nil, nil, nil, err
	}
	p, master, err := c.run(spec.Process, stdio, true)
	if err != nil {
		c.ct.Destroy()
		os.RemoveAll(filepath.Join(s.state, id))
		return nil, nil, nil, explain(err)
	}
	return c, p, master, nil
}

// resolve completes the specification with what only the mounted root tells.
func resolve(in *proto.Start) (*specs.Spec, error) {
	root, err := os.Open(in.RootfsPath)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	spec, p, at := *in.Spec, *in.Spec.Process, specs.Root{Path: in.RootfsPath}
	if spec.Root != nil {
		at.Readonly = spec.Root.Readonly
	}
	spec.Process, spec.Root = &p, &at
	return &spec, identity.Apply(&p, root, in.User, in.GroupAdd)
}

func (s *Starter) create(id string, spec *specs.Spec, systemd bool) (*Container, error) {
	cfg, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{CgroupName: id, UseSystemdCgroup: systemd, Spec: spec})
	if err != nil {
		return nil, invalid(err)
	}
	ct, err := libcontainer.Create(s.state, id, cfg)
	if errors.Is(err, libcontainer.ErrExist) { // what a crash left
		os.RemoveAll(filepath.Join(s.state, id))
		ct, err = libcontainer.Create(s.state, id, cfg)
	}
	if err != nil {
		return nil, explain(err)
	}
	return &Container{ct: ct}, nil
}

// Restore takes up a container that an earlier program started.
func (s *Starter) Restore(id string, _ int, _ []byte) (*Container, error) {
	ct, err := libcontainer.Load(s.state, id)
	if err != nil {
		return nil, err
	}
	return &Container{ct: ct}, nil
}
