//go:build linux

package volume

import (
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Acquire notes that a container uses a volume. Noting it twice changes nothing.
func (s *Service) Acquire(name, containerID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.get(name)
	if err == nil {
		v.users[containerID] = true
	}
	return err
}

// Release forgets a container as a user of all volumes.
func (s *Service) Release(containerID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.volumes {
		delete(v.users, containerID)
	}
	return nil
}

// Mount makes a volume ready for a container that starts and gives its directory. A volume with options is mounted for
// the first and unmounted after the last.
func (s *Service) Mount(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.get(name)
	if err != nil {
		return "", err
	}
	dir := s.data(name)
	if err := s.makeDir(name); err != nil && v.mounts == 0 && len(v.rec.Options) == 0 {
		return "", err
	}
	if len(v.rec.Options) > 0 && v.mounts == 0 {
		if err := mountOn(dir, v.rec.Options); err != nil {
			return "", errdefs.System("error while mounting volume '%s': %w", dir, err)
		}
	}
	v.mounts++
	return dir, nil
}

// Unmount takes back one Mount.
func (s *Service) Unmount(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.get(name)
	if err != nil || v.mounts == 0 {
		return err
	}
	if v.mounts--; v.mounts > 0 {
		return nil
	}
	return s.unmount(v)
}

func (s *Service) unmount(v *vol) error {
	if len(v.rec.Options) == 0 {
		return nil
	}
	dir := s.data(v.rec.Name)
	if on, err := mountinfo.Mounted(dir); err != nil || !on {
		return err
	}
	if err := unix.Unmount(dir, 0); err != nil {
		return errdefs.System("error while unmounting volume %s: %w", v.rec.Name, err)
	}
	return nil
}

// mountOn mounts what a volume's options say; a mount that an earlier engine left is taken as it is.
func mountOn(dir string, opts map[string]string) error {
	if on, err := mountinfo.Mounted(dir); err != nil || on {
		return err
	}
	flags, data, err := mountOptions(opts[optType], opts[optOpts])
	if err != nil {
		return err
	}
	kind := opts[optType]
	if kind == "none" || flags&unix.MS_BIND != 0 {
		kind = "bind"
	}
	if err := unix.Mount(opts[optDevice], dir, kind, flags, data); err != nil {
		return err
	}
	if flags&unix.MS_BIND != 0 && flags&unix.MS_RDONLY != 0 {
		return unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	return nil
}
