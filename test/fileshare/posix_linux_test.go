package fileshare

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/fileshare"
)

// TestSameAsNativeFileSystem makes random calls on the mount and on a directory of the machine's own file system, and
// compares every result, error number, attribute and byte, in the manner of pjdfstest.
func TestSameAsNativeFileSystem(t *testing.T) {
	rounds, calls := 4, 3000
	if os.Getenv("BERTH_LONG") != "" {
		rounds, calls = 20, 20000
	}
	for seed := range rounds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := mounted(t, fileshare.Options{})
			native := filepath.Join(scratch(t), "native")
			must(t, os.Mkdir(native, 0o755))
			p := &pair{rnd: rand.New(rand.NewPCG(uint64(seed), 7)), roots: [2]string{native, s.guest}}
			defer p.closeAll()
			var log []string
			for range calls {
				what, got := p.step()
				log = append(log, what+" = "+got[0])
				if got[0] != got[1] {
					t.Fatalf("%s: native %s, share %s\nbefore it:\n%s", what, got[0], got[1], strings.Join(log[max(0, len(log)-25):], "\n"))
				}
			}
			a, b, c := snapshot(t, native), snapshot(t, s.guest), snapshot(t, s.host)
			if a != b {
				t.Errorf("at the end native has\n%s\nthe share\n%s", a, b)
			}
			if withoutModes(a) != withoutModes(c) {
				t.Errorf("at the end native has\n%s\nthe host\n%s", a, c)
			}
		})
	}
}

// pair makes each call twice.
type pair struct {
	rnd   *rand.Rand
	roots [2]string
	open  [][2]int // descriptors
}

func (p *pair) closeAll() {
	for _, f := range p.open {
		_, _ = unix.Close(f[0]), unix.Close(f[1])
	}
}

// name is one of few, so that calls meet each other.
func (p *pair) name() string {
	dirs := []string{"", "d1/", "d2/", "d1/d3/", "d1/d3/d5/"}
	leaves := []string{"d1", "d2", "d3", "d5", "f1", "f2", "f 3", "ln", "missing"}
	if p.rnd.IntN(40) == 0 {
		return dirs[p.rnd.IntN(len(dirs))] + strings.Repeat("x", 250+p.rnd.IntN(10))
	}
	return dirs[p.rnd.IntN(len(dirs))] + leaves[p.rnd.IntN(len(leaves))]
}

// both makes a call on either side and shows how it ended.
func (p *pair) both(call func(side int, at func(name string) string) (string, error)) (out [2]string) {
	for side, root := range p.roots {
		text, err := call(side, func(name string) string { return filepath.Join(root, name) })
		var n unix.Errno
		switch {
		case errors.As(err, &n):
			text = unix.ErrnoName(n)
		case err != nil:
			text = err.Error()
		}
		out[side] = text
	}
	return out
}

func plainCall(f func(at func(string) string) error) func(int, func(string) string) (string, error) {
	return func(_ int, at func(string) string) (string, error) { return "ok", f(at) }
}

func (p *pair) step() (string, [2]string) {
	a, b := p.name(), p.name()
	mode := uint32(p.rnd.IntN(0o1000)) | 0o600
	switch p.rnd.IntN(22) {
	case 0, 1, 2:
		return p.openStep(a, mode)
	case 3, 4, 5, 6:
		return p.fileStep()
	case 7, 8:
		return "mkdir " + a, p.both(plainCall(func(at func(string) string) error { return unix.Mkdir(at(a), mode|0o700) }))
	case 9:
		return "rmdir " + a, p.both(plainCall(func(at func(string) string) error { return unix.Rmdir(at(a)) }))
	case 10:
		return "unlink " + a, p.both(plainCall(func(at func(string) string) error { return unix.Unlink(at(a)) }))
	case 11, 12:
		flags := []uint{0, 0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE}[p.rnd.IntN(4)]
		return fmt.Sprintf("rename %s %s %d", a, b, flags), p.both(plainCall(func(at func(string) string) error {
			return unix.Renameat2(unix.AT_FDCWD, at(a), unix.AT_FDCWD, at(b), flags)
		}))
	case 13:
		return "link " + a + " " + b, p.both(plainCall(func(at func(string) string) error { return unix.Link(at(a), at(b)) }))
	case 14:
		return "symlink " + a, p.both(plainCall(func(at func(string) string) error { return unix.Symlink("f1", at(a)) }))
	case 15:
		kind := []uint32{unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFREG}[p.rnd.IntN(3)]
		return "mknod " + a, p.both(plainCall(func(at func(string) string) error { return unix.Mknod(at(a), kind|mode, 0) }))
	case 16:
		return fmt.Sprintf("chmod %s %o", a, mode), p.both(plainCall(func(at func(string) string) error { return unix.Chmod(at(a), mode) }))
	case 17:
		size := p.rnd.Int64N(20000)
		return fmt.Sprintf("truncate %s %d", a, size), p.both(plainCall(func(at func(string) string) error { return unix.Truncate(at(a), size) }))
	case 18:
		ts := []unix.Timespec{{Sec: p.rnd.Int64N(1e9)}, {Sec: p.rnd.Int64N(1e9), Nsec: p.rnd.Int64N(1e9)}}
		return "utimens " + a, p.both(plainCall(func(at func(string) string) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, at(a), ts, unix.AT_SYMLINK_NOFOLLOW)
		}))
	case 19:
		return p.xattrStep(a)
	case 20:
		uid, gid := p.rnd.IntN(3)*500, p.rnd.IntN(3)*500
		return fmt.Sprintf("chown %s %d %d", a, uid, gid), p.both(plainCall(func(at func(string) string) error { return unix.Lchown(at(a), uid, gid) }))
	default:
		return "look " + a, p.both(func(_ int, at func(string) string) (string, error) { return look(at(a)) })
	}
}

func (p *pair) openStep(name string, mode uint32) (string, [2]string) {
	flags := []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR}[p.rnd.IntN(3)] | unix.O_NONBLOCK | unix.O_CLOEXEC
	for _, f := range []int{unix.O_CREAT, unix.O_EXCL, unix.O_TRUNC, unix.O_APPEND, unix.O_NOFOLLOW, unix.O_DIRECTORY} {
		if p.rnd.IntN(map[bool]int{true: 2, false: 5}[f == unix.O_CREAT]) == 0 {
			flags |= f
		}
	}
	if flags&unix.O_DIRECTORY != 0 {
		flags &^= unix.O_CREAT
	}
	fds := [2]int{-1, -1}
	what := fmt.Sprintf("open %s %#o %o", name, flags, mode)
	got := p.both(func(side int, at func(string) string) (string, error) {
		fd, err := unix.Open(at(name), flags, mode)
		if err == nil {
			fds[side] = fd
		}
		return "ok", err
	})
	if fds[0] >= 0 && fds[1] >= 0 {
		p.open = append(p.open, fds)
	}
	return what, got
}

// fileStep uses one of the open files, or closes it.
func (p *pair) fileStep() (string, [2]string) {
	if len(p.open) == 0 {
		return "nothing", [2]string{}
	}
	i := p.rnd.IntN(len(p.open))
	f := p.open[i]
	at, length := p.rnd.Int64N(30000), p.rnd.Int64N(9000)
	on := func(call func(fd int) (string, error)) [2]string {
		return p.both(func(side int, _ func(string) string) (string, error) { return call(f[side]) })
	}
	switch p.rnd.IntN(9) {
	case 0, 1:
		data := make([]byte, length)
		for i := range data {
			data[i] = byte(p.rnd.Uint32())
		}
		return fmt.Sprintf("pwrite %d at %d", length, at), on(func(fd int) (string, error) {
			n, err := unix.Pwrite(fd, data, at)
			return fmt.Sprint(n), err
		})
	case 2, 3:
		return fmt.Sprintf("pread %d at %d", length, at), on(func(fd int) (string, error) {
			b := make([]byte, length)
			n, err := unix.Pread(fd, b, at)
			return fmt.Sprintf("%d %x", n, sum(b[:max(n, 0)])), err
		})
	case 4:
		return "ftruncate", on(func(fd int) (string, error) { return "ok", unix.Ftruncate(fd, at) })
	case 5:
		mode := []uint32{0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE}[p.rnd.IntN(3)]
		return fmt.Sprintf("fallocate %d", mode), on(func(fd int) (string, error) { return "ok", unix.Fallocate(fd, mode, at, length+1) })
	case 6:
		return "fstat", on(fstat)
	case 7:
		return "fsync, fchmod", on(func(fd int) (string, error) {
			if err := unix.Fsync(fd); err != nil && err != unix.EINVAL {
				return "", err
			}
			return "ok", unix.Fchmod(fd, 0o640|uint32(at%8))
		})
	default:
		p.open = append(p.open[:i], p.open[i+1:]...)
		return "close", on(func(fd int) (string, error) { return "ok", unix.Close(fd) })
	}
}

func (p *pair) xattrStep(name string) (string, [2]string) {
	attr := fmt.Sprintf("user.a%d", p.rnd.IntN(3))
	switch p.rnd.IntN(4) {
	case 0:
		value := []byte(strings.Repeat("v", p.rnd.IntN(200)))
		flags := p.rnd.IntN(3)
		return "setxattr " + name, p.both(plainCall(func(at func(string) string) error { return unix.Lsetxattr(at(name), attr, value, flags) }))
	case 1:
		return "removexattr " + name, p.both(plainCall(func(at func(string) string) error { return unix.Lremovexattr(at(name), attr) }))
	case 2:
		return "listxattr " + name, p.both(func(_ int, at func(string) string) (string, error) {
			b := make([]byte, 4096)
			n, err := unix.Llistxattr(at(name), b)
			all := strings.Split(string(b[:max(n, 0)]), "\x00")
			sort.Strings(all)
			return strings.Join(all, ","), err
		})
	default:
		return "getxattr " + name, p.both(func(_ int, at func(string) string) (string, error) {
			b := make([]byte, 4096)
			n, err := unix.Lgetxattr(at(name), attr, b)
			return string(b[:max(n, 0)]), err
		})
	}
}

func fstat(fd int) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	return describe(&st), nil
}

func describe(st *unix.Stat_t) string {
	size := st.Size
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		size = 0
	}
	return fmt.Sprintf("%o links %d size %d owner %d:%d", st.Mode, st.Nlink, size, st.Uid, st.Gid)
}

// look shows all that can be seen of a name.
func look(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", err
	}
	text := describe(&st)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		entries, err := os.ReadDir(path)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			text += " " + e.Name() + e.Type().String()
		}
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		return text + " -> " + target, err
	case unix.S_IFREG:
		b, err := os.ReadFile(path)
		return fmt.Sprintf("%s %x", text, sum(b)), err
	}
	return text, nil
}

func sum(b []byte) (h uint64) {
	for _, c := range b {
		h = h*1099511628211 + uint64(c) + 1
	}
	return h
}

// snapshot shows a whole tree.
func snapshot(t *testing.T, root string) string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(root, func(p string, _ os.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		text, err := look(p)
		out = append(out, strings.TrimPrefix(p, root)+" "+text)
		return err
	}))
	return strings.Join(out, "\n")
}

// withoutModes leaves out what stays the person's on the host.
func withoutModes(snapshot string) string {
	var out []string
	for _, line := range strings.Split(snapshot, "\n") {
		var keep []string
		words := strings.Fields(line)
		for i, w := range words {
			if i > 0 && (words[i-1] == "owner" || len(w) >= 5 && len(w) <= 6 && strings.Trim(w, "01234567") == "") {
				continue
			}
			keep = append(keep, w)
		}
		out = append(out, strings.Join(keep, " "))
	}
	return strings.Join(out, "\n")
}
