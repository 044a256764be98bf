package detached

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/inroot"
)

// Bind is a file or directory of the machine that a World has at a place of its root.
type Bind struct {
	Source   string
	Target   string // in the root; made where it is missing
	ReadOnly bool
}

// World is a root with binds on it, in a mount namespace that nobody else is in and that lasts until Close.
type World struct {
	Dir  *os.File // its root directory
	quit chan struct{}
	done chan struct{}
}

// NewWorld attaches root, a detached mount, in a namespace of its own and lays the binds on it, in their order. anchor
// is any directory of the machine; nothing is seen there. With readOnly the root itself cannot be written. It stays the
// caller's.
func NewWorld(root *os.File, anchor string, binds []Bind, readOnly bool) (*World, error) {
	w := &World{quit: make(chan struct{}), done: make(chan struct{})}
	ready := make(chan error)
	go onSpareThread(func() {
		defer close(w.done)
		err := w.furnish(root, anchor, binds)
		if err == nil && readOnly {
			err = unix.MountSetattr(int(root.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
		}
		ready <- err
		if err == nil {
			<-w.quit
		}
	})
	if err := <-ready; err != nil {
		return nil, err
	}
	return w, nil
}

// onSpareThread runs do on a thread that ends with it, and with the thread the namespaces that it entered. The first
// thread will not do: it never ends, and the process is seen to be where it is.
func onSpareThread(do func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		do()
		return // still locked, so the thread ends
	}
	ended := make(chan struct{})
	go func() { // cannot get this thread, which is held meanwhile
		defer close(ended)
		onSpareThread(do)
	}()
	<-ended
	runtime.UnlockOSThread()
}

func (w *World) furnish(root *os.File, anchor string, binds []Bind) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unsharing the mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("making the machine's mounts slaves: %w", err)
	}
	if err := unix.MoveMount(int(root.Fd()), "", unix.AT_FDCWD, anchor, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("attaching the root: %w", err)
	}
	for _, b := range binds {
		if err := b.lay(int(root.Fd())); err != nil {
			return fmt.Errorf("mounting %s: %w", b.Target, err)
		}
	}
	fd, err := inroot.Open(int(root.Fd()), "/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	w.Dir = os.NewFile(uintptr(fd), "root")
	return nil
}

func (b *Bind) lay(root int) error {
	src, err := Tree(b.Source, true)
	if err != nil {
		return err
	}
	defer src.Close()
	attrs := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if b.ReadOnly {
		attrs.Attr_set = unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(int(src.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attrs); err != nil {
		return err
	}
	st, err := src.Stat()
	if err != nil {
		return err
	}
	target, err := inroot.OpenOrMake(root, b.Target, st.IsDir())
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return unix.MoveMount(int(src.Fd()), "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// Close lets the namespace go with all that is mounted in it.
func (w *World) Close() error {
	err := w.Dir.Close()
	close(w.quit)
	<-w.done
	return err
}
