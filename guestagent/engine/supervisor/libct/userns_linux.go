//go:build cgo && seccomp

package libct

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mapping is a container's; empty where it is in no user namespace of its own.
func mapping(spec *specs.Spec) user.IdentityMapping {
	if spec == nil || spec.Linux == nil {
		return user.IdentityMapping{}
	}
	return user.IdentityMapping{UIDMaps: idMaps(spec.Linux.UIDMappings), GIDMaps: idMaps(spec.Linux.GIDMappings)}
}

func idMaps(list []specs.LinuxIDMapping) (out []user.IDMap) {
	for _, m := range list {
		out = append(out, user.IDMap{ID: int64(m.ContainerID), ParentID: int64(m.HostID), Count: int64(m.Size)})
	}
	return out
}

// admit lets the group of a mapped container's root, and nobody else, walk through dir to its root.
func admit(dir string, ids user.IdentityMapping) error {
	if ids.Empty() {
		return nil
	}
	_, gid := ids.RootPair()
	if err := os.Chown(dir, 0, gid); err != nil {
		return err
	}
	return os.Chmod(dir, 0o710)
}

// joinOwner makes a container with a mapping join the user namespace that its network namespace belongs to, without
// which its root could not set the network up. done is called when the container has been started.
func joinOwner(spec *specs.Spec) (done func(), err error) {
	network := slices.IndexFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace && n.Path != "" })
	own := slices.IndexFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace && n.Path == "" })
	if network < 0 || own < 0 {
		return func() {}, nil
	}
	net, err := os.Open(spec.Linux.Namespaces[network].Path)
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	defer net.Close()
	owner, err := unix.IoctlRetInt(int(net.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return nil, fmt.Errorf("user namespace of %s: %w", net.Name(), err)
	}
	if err := foreign(owner); err != nil {
		unix.Close(owner)
		return nil, invalid(fmt.Errorf("network namespace %s: %w", net.Name(), err))
	}
	linux := *spec.Linux
	linux.Namespaces = slices.Clone(linux.Namespaces)
	linux.Namespaces[own].Path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), owner)
	linux.UIDMappings, linux.GIDMappings = nil, nil // the namespace has them
	spec.Linux = &linux
	return func() { unix.Close(owner) }, nil
}

// foreign refuses our own user namespace: who joined it would be the machine's root.
func foreign(owner int) error {
	var own, its unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &own); err != nil {
		return err
	}
	if err := unix.Fstat(owner, &its); err != nil {
		return err
	}
	if own.Dev == its.Dev && own.Ino == its.Ino {
		return errors.New("it belongs to no user namespace of a container")
	}
	return nil
}
