package streams

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Process are the ends of a process's streams that the supervisor keeps. Any may be nil. With a terminal Stdin and
// Stdout are its master, the same file.
type Process struct {
	Stdin, Stdout, Stderr *os.File
}

// Child are the ends that the process gets.
type Child struct {
	Stdin, Stdout, Stderr *os.File
}

// Pipes makes the streams of a process without a terminal; without stdin it reads /dev/null.
func Pipes(stdin bool) (p Process, c Child, err error) {
	defer func() {
		if err != nil {
			p.Close()
			c.Close()
		}
	}()
	if stdin {
		c.Stdin, p.Stdin, err = os.Pipe()
	} else {
		c.Stdin, err = os.Open(os.DevNull)
	}
	if err == nil {
		p.Stdout, c.Stdout, err = os.Pipe()
	}
	if err == nil {
		p.Stderr, c.Stderr, err = os.Pipe()
	}
	if err != nil {
		err = fmt.Errorf("making pipes: %w", err)
	}
	return p, c, err
}

// Terminal makes the streams of a process from its terminal's master, which it takes over.
func Terminal(master *os.File) (Process, error) {
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	master.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return Process{}, fmt.Errorf("taking over a terminal: %w", err)
	}
	f := os.NewFile(uintptr(fd), "terminal")
	return Process{Stdin: f, Stdout: f}, nil
}

// Close closes what is open.
func (p Process) Close() { closeFiles(p.Stdin, p.Stdout, p.Stderr) }

// Close closes what is open.
func (c Child) Close() { closeFiles(c.Stdin, c.Stdout, c.Stderr) }

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// Resize sets the size of a process's terminal, in characters.
func Resize(p Process, height, width uint16) error { return resize(p.Stdin, height, width) }

func resize(f *os.File, height, width uint16) error {
	return control(f, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width})
	})
}

// waiting is how many bytes can be read from f now.
func waiting(f *os.File) (n int) {
	control(f, func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err
	})
	return n
}

// control calls do with f's descriptor, which stays open and non-blocking meanwhile.
func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = do(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
