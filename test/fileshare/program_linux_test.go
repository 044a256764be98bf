package fileshare

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// playProgram is what a process of its own does, in the guest or on the host.
func playProgram(args []string) error {
	switch args[0] {
	case "fsx":
		return fsx(args[1], args[2])
	case "lock":
		return lock(args[1:])
	case "asuser":
		return asUser(args[1], args[2:])
	}
	return fmt.Errorf("no such program: %q", args)
}

// program prepares a run of playProgram.
func program(args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), roleEnv+"=program")
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return c
}

func runProgram(t *testing.T, args ...string) error {
	t.Helper()
	out, err := program(args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return err
}

// asUser runs a small file operation as a user who is not root.
func asUser(user string, args []string) error {
	uid, err := strconv.Atoi(user)
	if err != nil {
		return err
	}
	if err := syscall.Setgid(uid); err != nil {
		return err
	}
	if err := syscall.Setuid(uid); err != nil {
		return err
	}
	syscall.Umask(0)
	switch args[0] {
	case "write":
		return os.WriteFile(args[1], []byte(user), 0o640)
	case "append":
		return appendTo(args[1], user)
	case "chown":
		return os.Chown(args[1], uid, uid)
	case "chmod":
		return unix.Chmod(args[1], 0o4755)
	}
	return fmt.Errorf("no such operation: %q", args)
}

// lock takes a POSIX lock: FILE KIND START LENGTH try|wait [HOLD]; it says "locked" once it has it.
func lock(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if args[1] == "read" {
		l.Type = unix.F_RDLCK
	}
	start, _ := strconv.Atoi(args[2])
	length, _ := strconv.Atoi(args[3])
	l.Start, l.Len = int64(start), int64(length)
	cmd := unix.F_SETLK
	if args[4] == "wait" {
		cmd = unix.F_SETLKW
	}
	if err := unix.FcntlFlock(f.Fd(), cmd, &l); err != nil {
		return err
	}
	fmt.Println("locked")
	if len(args) > 5 {
		hold, err := time.ParseDuration(args[5])
		if err != nil {
			return err
		}
		time.Sleep(hold)
	}
	return nil
}

// fsx makes random calls on one file, mapped memory among them, and compares it with a model after each, in the manner of
// Apple's fsx. It ends with the file as the model has it.
func fsx(path, seedText string) error {
	seed, err := strconv.Atoi(seedText)
	if err != nil {
		return err
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	x := &exerciser{fd: fd, path: path, rnd: rand.New(rand.NewPCG(uint64(seed), 1))}
	steps := 3000
	if os.Getenv("BERTH_LONG") != "" {
		steps = 50000
	}
	for i := range steps {
		what, err := x.step()
		x.log = append(x.log, what)
		if err == nil {
			err = x.check()
		}
		if err != nil {
			return fmt.Errorf("call %d, %s: %w\nbefore it: %s", i, what, err, strings.Join(x.log[max(0, len(x.log)-20):], "; "))
		}
	}
	return os.WriteFile(path+".model", x.model, 0o644)
}

type exerciser struct {
	fd    int
	path  string
	rnd   *rand.Rand
	model []byte
	log   []string
}

const fsxMax = 256 << 10

func (x *exerciser) grow(size int) {
	if size > len(x.model) {
		x.model = append(x.model, make([]byte, size-len(x.model))...)
	}
}

func (x *exerciser) step() (string, error) {
	at := x.rnd.IntN(fsxMax)
	data := make([]byte, 1+x.rnd.IntN(40000))
	for i := range data {
		data[i] = byte(x.rnd.Uint32())
	}
	switch x.rnd.IntN(8) {
	case 0, 1:
		n, err := unix.Pwrite(x.fd, data, int64(at))
		x.grow(at + n)
		copy(x.model[at:], data[:n])
		return fmt.Sprintf("write %d at %d", len(data), at), err
	case 2:
		x.grow(at)
		x.model = x.model[:at:at]
		return fmt.Sprintf("truncate %d", at), unix.Ftruncate(x.fd, int64(at))
	case 3:
		return x.mapped(at, data)
	case 4:
		err := unix.Fallocate(x.fd, unix.FALLOC_FL_KEEP_SIZE|unix.FALLOC_FL_PUNCH_HOLE, int64(at), int64(len(data)))
		for i := at; i < min(at+len(data), len(x.model)); i++ {
			x.model[i] = 0
		}
		return fmt.Sprintf("punch %d at %d", len(data), at), err
	case 5:
		from, to, size := int64(at/2), int64(fsxMax+at/4), len(data)
		want := min(size, max(0, len(x.model)-int(from)))
		n, err := unix.CopyFileRange(x.fd, &from, x.fd, &to, size, 0)
		if err == nil && n < want {
			err = fmt.Errorf("copied %d of %d", n, want)
		}
		if n > 0 {
			src := append([]byte(nil), x.model[at/2:at/2+n]...)
			x.grow(fsxMax + at/4 + n)
			copy(x.model[fsxMax+at/4:], src)
		}
		return fmt.Sprintf("copy %d from %d", size, at/2), err
	case 6:
		return "fsync", unix.Fsync(x.fd)
	default:
		if err := unix.Close(x.fd); err != nil {
			return "close", err
		}
		fd, err := unix.Open(x.path, unix.O_RDWR, 0)
		x.fd = fd
		return "reopen", err
	}
}

// mapped writes through memory, with or without msync.
func (x *exerciser) mapped(at int, data []byte) (string, error) {
	if len(x.model) == 0 {
		return "mmap of nothing", nil
	}
	m, err := unix.Mmap(x.fd, 0, len(x.model), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return "mmap", err
	}
	if !bytes.Equal(m, x.model) {
		return "mmap", fmt.Errorf("mapped memory differs from the model")
	}
	at %= len(x.model)
	n := copy(m[at:], data)
	copy(x.model[at:], data[:n])
	if x.rnd.IntN(2) == 0 {
		if err := unix.Msync(m, unix.MS_SYNC); err != nil {
			return "msync", err
		}
	}
	return fmt.Sprintf("mapped write %d at %d", n, at), unix.Munmap(m)
}

func (x *exerciser) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(x.fd, &st); err != nil {
		return err
	}
	if st.Size != int64(len(x.model)) {
		return fmt.Errorf("the file has %d bytes, the model %d", st.Size, len(x.model))
	}
	got := make([]byte, len(x.model)+1)
	n, err := unix.Pread(x.fd, got, 0)
	if err != nil {
		return err
	}
	if !bytes.Equal(got[:n], x.model) {
		for i := range x.model {
			if got[i] != x.model[i] {
				return fmt.Errorf("byte %d is %d, the model has %d", i, got[i], x.model[i])
			}
		}
		return fmt.Errorf("read %d of %d", n, len(x.model))
	}
	return nil
}
