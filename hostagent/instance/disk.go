package instance

import (
	"errors"
	"io/fs"
	"os"

	"github.com/berthhq/berth/internal/errdefs"
)

// OpenDisk opens the data disk, made where it is missing. An empty one is formatted by the guest. It takes up what is
// written to it.
func (i *Instance) OpenDisk() (*os.File, error) {
	name, size := i.Layout.DataDisk(), i.State().Settings.Disk
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errdefs.System("machine %s: the data disk: %w", i.Layout.Name, err)
	}
	if err := grow(f, size); err != nil {
		f.Close()
		return nil, errdefs.System("machine %s: the data disk: %w", i.Layout.Name, err)
	}
	return f, nil
}

// DiskUsed is how many bytes of the host the data disk takes up.
func (i *Instance) DiskUsed() int64 {
	info, err := os.Stat(i.Layout.DataDisk())
	if err != nil {
		return 0
	}
	return allocated(info)
}

func growDisk(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errdefs.System("growing the data disk: %w", err)
	}
	if err := errors.Join(grow(f, size), f.Close()); err != nil {
		return errdefs.System("growing the data disk: %w", err)
	}
	return nil
}

// grow makes a file larger without writing; it never makes one smaller.
func grow(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return f.Truncate(size)
}
