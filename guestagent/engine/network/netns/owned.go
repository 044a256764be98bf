//go:build linux

package netns

import (
	"errors"
	"fmt"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/idmap"
)

// CreateOwned is Create for a namespace that belongs to a new user namespace of the mapping, so that root in there may
// set it up. It keeps the user namespace alive; ioctl_nsfs(2), NS_GET_USERNS, finds it.
func CreateOwned(path string, ids user.IdentityMapping, setup func() error) error {
	if err := claim(path); err != nil {
		return err
	}
	err := idmap.Within(ids, unix.CLONE_NEWNET, func(pid int) error {
		if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/net", pid), path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("binding network namespace to %s: %w", path, err)
		}
		return nil
	})
	if err == nil && setup != nil {
		err = Do(path, setup)
	}
	if err != nil {
		return errors.Join(err, Delete(path))
	}
	return nil
}
