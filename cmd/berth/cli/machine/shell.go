package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/term"
	"github.com/spf13/cobra"
)

func newShell(s *session.Session) *cobra.Command {
	c := &cobra.Command{
		Use: "shell [MACHINE] [-- COMMAND [ARG...]]", Short: "Open a root shell in a virtual machine, or run a command there",
		ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		names, command := args, []string(nil)
		if n := c.ArgsLenAtDash(); n >= 0 {
			names, command = args[:n], args[n:]
		}
		if len(names) > 1 {
			return errdefs.Invalid("%d machines, and a shell is in one", len(names)).WithHint("A command follows after --, as in: berth machine shell -- dmesg")
		}
		m, agent, err := served(c.Context(), s, names)
		if err != nil {
			return err
		}
		// A machine whose engine does not answer is one to look into: the shell is tried whatever the start says.
		_, started := agent.Start(c.Context(), tell(s))
		stream, err := agent.Shell(c.Context())
		if err != nil {
			return errors.Join(started, err)
		}
		sh := shell{s: s, machine: m.Name, stream: stream}
		defer stream.Close()
		return sh.run(c.Context(), command)
	}
	return c
}

// shell is a person's streams joined with those of a program in a machine.
type shell struct {
	s       *session.Session
	machine string
	stream  io.ReadWriteCloser
	sending sync.Mutex // held while a chunk is written
}

// run starts the program and gives its exit code as an error.
func (sh *shell) run(ctx context.Context, command []string) error {
	in, keys := sh.s.InTerminal()
	out, screen := sh.s.OutTerminal()
	want := agentapi.Shell{Args: command}
	if keys && screen {
		want.Term, want.Size = sh.s.Getenv("TERM"), sizeOf(out)
	}
	if err := sh.open(want); err != nil {
		return err
	}
	if want.Size != nil {
		state, err := term.SetRawTerminal(in)
		if err != nil {
			return errdefs.System("the terminal: %w", err)
		}
		defer term.RestoreTerminal(in, state)
		defer sh.follow(out, *want.Size)()
	}
	stop := context.AfterFunc(ctx, func() { _ = sh.stream.Close() })
	defer stop()
	go sh.input()
	code, err := sh.output()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return errdefs.Unavailable("the shell in machine %s was cut off: %w", sh.machine, err).WithHint("berth machine status")
	case code != 0:
		return &session.ExitError{Code: code}
	}
	return nil
}

// open says what to start and hears whether it was.
func (sh *shell) open(want agentapi.Shell) error {
	err := agentapi.WriteFrame(sh.stream, agentapi.Open{Shell: &want})
	var is agentapi.Opened
	if err == nil {
		err = agentapi.ReadFrame(sh.stream, &is)
	}
	if err == nil && is.Error != nil {
		err = is.Error
	}
	if err != nil {
		return errdefs.Unavailable("machine %s starts no shell: %w", sh.machine, err).WithHint("berth machine doctor")
	}
	return nil
}

func (sh *shell) send(kind agentapi.ShellKind, b []byte) error {
	sh.sending.Lock()
	defer sh.sending.Unlock()
	return agentapi.WriteChunk(sh.stream, kind, b)
}

// input sends what the person types until it ends. It is left behind when the program ends first.
func (sh *shell) input() {
	buf := make([]byte, agentapi.MaxChunk)
	for {
		n, err := sh.s.In.Read(buf)
		if n > 0 && sh.send(agentapi.ShellIn, buf[:n]) != nil {
			return
		}
		if err != nil {
			_ = sh.send(agentapi.ShellIn, nil)
			return
		}
	}
}

// output shows what comes until the exit code does.
func (sh *shell) output() (code int, err error) {
	buf := make([]byte, agentapi.MaxChunk)
	for {
		kind, b, err := agentapi.ReadChunk(sh.stream, buf)
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case kind == agentapi.ShellOut:
			_, err = sh.s.Out.Write(b)
		case kind == agentapi.ShellErr:
			_, err = sh.s.Err.Write(b)
		case kind == agentapi.ShellExit && len(b) == 1:
			return int(b[0]), nil
		default:
			err = fmt.Errorf("a chunk of kind %d with %d bytes makes no sense", kind, len(b))
		}
		if err != nil {
			return 0, err
		}
	}
}

// follow tells of the terminal's size whenever it changes, until stop.
func (sh *shell) follow(fd uintptr, was agentapi.Size) (stop func()) {
	changed, end := resized()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			if is := sizeOf(fd); is != nil && *is != was {
				was = *is
				_ = sh.send(agentapi.ShellSize, was.Chunk())
			}
		}
	}()
	return func() { end(); close(done) }
}

// sizeOf is a terminal's size; one that does not tell has the usual.
func sizeOf(fd uintptr) *agentapi.Size {
	ws, err := term.GetWinsize(fd)
	if err != nil || ws.Height == 0 || ws.Width == 0 {
		return &agentapi.Size{Rows: 24, Cols: 80}
	}
	return &agentapi.Size{Rows: ws.Height, Cols: ws.Width}
}
