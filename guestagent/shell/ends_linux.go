package shell

import (
	"fmt"
	"os"

	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

// ends are the agent's ends of a program's streams. Reads of them take deadlines.
type ends struct {
	in       *os.File
	out      map[agentapi.ShellKind]*os.File
	terminal bool // in is that of ShellOut
}

func (e *ends) close() {
	_ = e.in.Close()
	for _, f := range e.out {
		_ = f.Close()
	}
}

// open makes the streams of a program, in a terminal where there is a size.
func open(size *agentapi.Size) (*ends, Program, error) {
	if size != nil {
		return openTerminal(*size)
	}
	return openPipes()
}

// openTerminal does by hand what libraries do, since theirs block: a read of the terminal must take a deadline.
func openTerminal(size agentapi.Size) (*ends, Program, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, Program{}, fmt.Errorf("a terminal: %w", err)
	}
	master := os.NewFile(uintptr(fd), "ptmx")
	slave, err := other(fd, size)
	if err != nil {
		_ = master.Close()
		return nil, Program{}, fmt.Errorf("a terminal: %w", err)
	}
	e := &ends{in: master, out: map[agentapi.ShellKind]*os.File{agentapi.ShellOut: master}, terminal: true}
	return e, Program{Terminal: true, Stdin: slave, Stdout: slave, Stderr: slave}, nil
}

// other opens the end of a terminal that programs have.
func other(master int, size agentapi.Size) (*os.File, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, winsize(size)); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("/dev/pts/%d", n)
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func winsize(s agentapi.Size) *unix.Winsize { return &unix.Winsize{Row: s.Rows, Col: s.Cols} }

// resize tells the terminal's programs of its size.
func (e *ends) resize(s agentapi.Size) {
	if !e.terminal {
		return
	}
	if c, err := e.in.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, winsize(s)) })
	}
}

// endOfInput is what a terminal's programs read as the end, unless they have set another or none.
var endOfInput = []byte{4}

// endInput lets the program read to the end.
func (e *ends) endInput() {
	if e.terminal {
		_, _ = e.in.Write(endOfInput)
		return
	}
	_ = e.in.Close()
}

func openPipes() (*ends, Program, error) {
	var made []*os.File
	// pipe gives its ends: the program's blocks, as programs expect, and ours does not.
	pipe := func(ours int) (r, w *os.File, err error) {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return nil, nil, err
		}
		if err := unix.SetNonblock(fds[ours], true); err != nil {
			return nil, nil, err
		}
		r, w = os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1")
		made = append(made, r, w)
		return r, w, nil
	}
	inR, inW, err1 := pipe(1)
	outR, outW, err2 := pipe(0)
	errR, errW, err3 := pipe(0)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			for _, f := range made {
				_ = f.Close()
			}
			return nil, Program{}, fmt.Errorf("pipes: %w", err)
		}
	}
	e := &ends{in: inW, out: map[agentapi.ShellKind]*os.File{agentapi.ShellOut: outR, agentapi.ShellErr: errR}}
	return e, Program{Stdin: inR, Stdout: outW, Stderr: errW}, nil
}
