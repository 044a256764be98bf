package stage

import (
	"errors"
	"fmt"
	"os"
	"path"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/inroot"
)

// populateDev fills an empty /dev with the devices and links that every container has (OCI runtime specification,
// config-linux.md, Default Devices and Default Filesystems).
func populateDev(dev int) error {
	for _, n := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		if err := node(dev, n.name, unix.S_IFCHR|0o666, unix.Mkdev(n.major, n.minor)); err != nil {
			return step("making /dev/"+n.name, err)
		}
	}
	for _, l := range [][2]string{
		{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
		{"ptmx", "pts/ptmx"}, {"core", "/proc/kcore"},
	} {
		if err := unix.Symlinkat(l[1], dev, l[0]); err != nil {
			return step("linking /dev/"+l[0], err)
		}
	}
	return nil
}

func node(dir int, name string, mode uint32, dev uint64) error {
	if err := unix.Mknodat(dir, name, mode, int(dev)); err != nil {
		return err
	}
	return unix.Fchmodat(dir, name, mode&0o7777, 0) // whatever the umask was
}

// makeDevices makes the nodes that were asked for. One that exists already is left alone: it is the image's or a
// mount's.
func (a *assembly) makeDevices() error {
	for i := range a.spec.Devices {
		d := &a.spec.Devices[i]
		if err := a.makeDevice(d); err != nil {
			return step(fmt.Sprintf("making device %s", d.Path), err)
		}
	}
	return nil
}

func (a *assembly) makeDevice(d *specs.LinuxDevice) error {
	var kind uint32
	switch d.Type {
	case "c", "u":
		kind = unix.S_IFCHR
	case "b":
		kind = unix.S_IFBLK
	case "p":
		kind = unix.S_IFIFO
	default:
		return unix.EINVAL
	}
	dir, err := inroot.OpenOrMake(a.root, path.Dir(d.Path), true)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	mode := uint32(0o666)
	if d.FileMode != nil {
		mode = uint32(d.FileMode.Perm())
	}
	err = node(dir, path.Base(d.Path), kind|mode, unix.Mkdev(uint32(d.Major), uint32(d.Minor)))
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil || d.UID == nil || d.GID == nil {
		return err
	}
	return unix.Fchownat(dir, path.Base(d.Path), int(*d.UID), int(*d.GID), unix.AT_SYMLINK_NOFOLLOW)
}

// openConsole makes a terminal of the container's own devpts, sends its master to the parent and puts the other end
// over /dev/console. The slave is opened through the master (TIOCGPTPEER), not by a name that could be swapped
// (CVE-2025-52565).
func (a *assembly) openConsole() error {
	if !a.spec.Process.Terminal {
		return nil
	}
	ptmx, err := inroot.Open(a.root, "dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return step("opening /dev/pts/ptmx", err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(ptmx, &fs); err != nil || fs.Type != unix.DEVPTS_SUPER_MAGIC {
		return step("opening /dev/pts/ptmx", errors.New("not a terminal multiplexer"))
	}
	if err := unix.IoctlSetPointerInt(ptmx, unix.TIOCSPTLCK, 0); err != nil {
		return step("unlocking the terminal", err)
	}
	slave, err := peer(ptmx)
	if err != nil {
		return step("opening the terminal", err)
	}
	a.console = os.NewFile(uintptr(slave), "console")
	if box := a.spec.Process.ConsoleSize; box != nil {
		unix.IoctlSetWinsize(slave, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(box.Height), Col: uint16(box.Width)})
	}
	if !a.guest {
		if err := a.coverConsole(slave); err != nil {
			return step("setting up /dev/console", err)
		}
	}
	if err := a.control.Send(&Answer{Console: true}, ptmx); err != nil {
		return step("handing over the terminal", err)
	}
	return unix.Close(ptmx)
}

// peer opens the other end of a terminal by the ioctl that takes open flags as its argument.
func peer(ptmx int) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ptmx), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func (a *assembly) coverConsole(slave int) error {
	target, err := inroot.Open(a.root, "dev/console", unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) {
		dev, derr := inroot.OpenOrMake(a.root, "/dev", true)
		if derr != nil {
			return derr
		}
		defer unix.Close(dev)
		target, err = inroot.Make(dev, "console", false)
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	tree, err := unix.OpenTree(slave, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}
