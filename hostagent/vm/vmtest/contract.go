package vmtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

// Subject is a driver under test. Its guest runs package guest.
type Subject struct {
	Driver vm.Driver
	// Config gives a machine to start, in a directory of its own; the files are closed by the test's cleanup.
	Config func(t *testing.T) (vm.Config, vm.Files)
	// Streams is how many are opened at once; Bytes how many travel where the amount matters.
	Streams int
	Bytes   int64
	// Wait bounds what takes a boot, or the answer to anything.
	Wait time.Duration
}

// Run puts a driver to the contract that is written at vm.Driver and vm.Machine.
func Run(t *testing.T, s Subject) {
	t.Run("Refusals", s.refusals)
	t.Run("Running", func(t *testing.T) { // one machine, since a boot may be dear
		m, c := s.start(t)
		s.answer(t, m)
		t.Run("Status", func(t *testing.T) { s.status(t, m, c) })
		t.Run("SecondStart", func(t *testing.T) { s.secondStart(t, c) })
		t.Run("Echo", func(t *testing.T) { s.echo(t, m) })
		t.Run("HalfClose", func(t *testing.T) { s.halfClose(t, m) })
		t.Run("GuestCloses", func(t *testing.T) { s.guestCloses(t, m) })
		t.Run("Source", func(t *testing.T) { s.source(t, m) })
		t.Run("Refused", func(t *testing.T) { s.refused(t, m) })
		t.Run("Deadlines", func(t *testing.T) { s.deadlines(t, m) })
		t.Run("BackPressure", func(t *testing.T) { s.backPressure(t, m) })
		t.Run("Streams", func(t *testing.T) { s.streams(t, m) })
		t.Run("Pause", func(t *testing.T) { s.pause(t, m) })
		t.Run("Attach", func(t *testing.T) { m = s.attach(t, m, c) })
		t.Cleanup(func() { m.Close() })
		t.Run("Kill", func(t *testing.T) { s.kill(t, m) })
	})
	t.Run("PowerOff", func(t *testing.T) { s.ends(t, guest.Off, vm.PoweredOff) })
	t.Run("Crash", func(t *testing.T) { s.ends(t, guest.Crash, vm.Crashed) })
}

func (s Subject) context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), s.Wait)
	t.Cleanup(cancel)
	return ctx
}

func (s Subject) start(t *testing.T) (vm.Machine, vm.Config) {
	t.Helper()
	c, files := s.Config(t)
	ctx, cancel := context.WithTimeout(context.Background(), s.Wait)
	m, err := s.Driver.Start(ctx, c, files)
	cancel() // the end of the start's context does not end the machine
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(m.Kill(ctx), m.Close()); err != nil {
			t.Errorf("ending the machine: %v", err)
		}
	})
	return m, c
}

// answer waits for the guest, whose services come one after another.
func (s Subject) answer(t *testing.T, m vm.Machine) {
	t.Helper()
	ctx := s.context(t)
	for {
		c, err := m.Dial(ctx, guest.Boot)
		if err == nil {
			c.Close()
			return
		}
		if ctx.Err() != nil || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("the guest does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// dial opens a stream that cannot hang a test.
func (s Subject) dial(t *testing.T, m vm.Machine, port uint32) transport.Conn {
	t.Helper()
	c, err := m.Dial(s.context(t), port)
	if err != nil {
		t.Fatalf("dial %d: %v", port, err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(s.Wait)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s Subject) refusals(t *testing.T) {
	c, files := s.Config(t)
	broken := c
	broken.Memory = 1
	if m, err := s.Driver.Start(s.context(t), broken, files); err == nil {
		m.Kill(s.context(t))
		t.Error("a machine with one byte of memory starts")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if m, err := s.Driver.Start(ended, c, files); err == nil {
		m.Kill(s.context(t))
		t.Error("an ended context starts a machine")
	}
	if a, ok := s.Driver.(vm.Attacher); ok {
		if _, err := a.Attach(s.context(t), c); !errors.Is(err, vm.ErrNotRunning) {
			t.Errorf("attaching to nothing: %v", err)
		}
	}
	accels, err := s.Driver.Accelerators(c.Arch)
	if err != nil || len(accels) == 0 {
		t.Errorf("accelerators: %v, %v", accels, err)
	}
}

func (s Subject) status(t *testing.T, m vm.Machine, c vm.Config) {
	st, err := m.Status(s.context(t))
	if err != nil {
		t.Fatal(err)
	}
	if st.State != vm.Running || st.Driver != s.Driver.Name() || st.Accelerator != c.Accelerator || st.Memory != c.Memory || st.CPUs < 1 {
		t.Errorf("status %+v", st)
	}
}

func (s Subject) secondStart(t *testing.T, running vm.Config) {
	c, files := s.Config(t)
	c.Dir = running.Dir
	if m, err := s.Driver.Start(s.context(t), c, files); !errors.Is(err, vm.ErrRunning) {
		if err == nil {
			m.Kill(s.context(t))
		}
		t.Errorf("second start: %v", err)
	}
}

func (s Subject) echo(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Echo)
	for i := range 20 {
		want := fmt.Sprintf("message %d", i)
		if _, err := io.WriteString(c, want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// halfClose sends to the end and reads the answer that the guest makes only then.
func (s Subject) halfClose(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Sink)
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(c, sum), &guest.Pattern{}, s.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("writing goes on after CloseWrite")
	}
	got, err := io.ReadAll(c)
	if want := fmt.Sprintf("%d %x\n", s.Bytes, sum.Sum(nil)); err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func (s Subject) guestCloses(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Bye)
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "bye\n" {
		t.Errorf("%q, %v", got, err)
	}
	for range 1000 { // the other half is closed too
		if _, err = c.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("a stream that the guest has closed takes everything")
}

func (s Subject) source(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Source)
	if _, err := fmt.Fprintln(c, s.Bytes); err != nil {
		t.Fatal(err)
	}
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, c)
	if err != nil || n != s.Bytes {
		t.Fatalf("%d bytes, %v", n, err)
	}
	_, _ = io.CopyN(want, &guest.Pattern{}, n)
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Error("other bytes than were sent")
	}
}

func (s Subject) refused(t *testing.T, m vm.Machine) {
	if _, err := m.Dial(s.context(t), guest.Closed); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialing a closed port: %v", err)
	}
}

func (s Subject) deadlines(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Echo)
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout interface{ Timeout() bool }
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("reading past the deadline: %v", err)
	}
	if err := c.SetDeadline(time.Now().Add(s.Wait)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "on"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "on" {
		t.Errorf("after a deadline: %q, %v", got, err)
	}
	go func() { time.Sleep(50 * time.Millisecond); c.Close() }()
	if _, err := c.Read(got); err == nil || err == io.EOF {
		t.Errorf("reading from what is closed meanwhile: %v", err)
	}
}

// backPressure sends to a guest that does not read: the sender stands still, others do not.
func (s Subject) backPressure(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Stall)
	if err := c.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := io.CopyN(struct{ io.Writer }{c}, &guest.Pattern{}, 256<<20)
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%d bytes sent to a guest that reads none: %v", n, err)
	}
	s.echo(t, m)
}

func (s Subject) streams(t *testing.T, m vm.Machine) {
	ctx := s.context(t)
	var all sync.WaitGroup
	errs := make(chan error, s.Streams)
	opened := make(chan struct{}, s.Streams)
	proceed := make(chan struct{})
	gate := make(chan struct{}, 64) // so many are being opened at a time
	for i := range s.Streams {
		all.Go(func() {
			gate <- struct{}{}
			c, err := m.Dial(ctx, guest.Echo)
			<-gate
			opened <- struct{}{}
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			<-proceed
			errs <- roundTrip(c, fmt.Sprintf("stream %d", i))
		})
	}
	for range s.Streams {
		<-opened
	}
	if st, err := m.Status(ctx); err != nil || st.Streams < s.Streams {
		t.Errorf("status with %d streams: %+v, %v", s.Streams, st, err)
	}
	close(proceed)
	all.Wait()
	for range s.Streams {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func roundTrip(c transport.Conn, want string) error {
	if _, err := io.WriteString(c, want); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		return fmt.Errorf("sent %q, got %q, %w", want, got, err)
	}
	return nil
}

func (s Subject) pause(t *testing.T, m vm.Machine) {
	ctx := s.context(t)
	c := s.dial(t, m, guest.Echo)
	for range 2 {
		if err := m.Pause(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := m.Status(ctx); err != nil || st.State != vm.Paused {
		t.Errorf("paused: %+v, %v", st, err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := m.Dial(short, guest.Echo); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dialing what is paused: %v", err)
	}
	for range 2 {
		if err := m.Resume(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := roundTrip(c, "after the pause"); err != nil {
		t.Error(err)
	}
}

// attach lets go of the machine and finds it again.
func (s Subject) attach(t *testing.T, m vm.Machine, c vm.Config) vm.Machine {
	a, ok := s.Driver.(vm.Attacher)
	if !ok {
		t.Skip("its machines end with their driver")
	}
	before := s.boot(t, m)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := a.Attach(s.context(t), vm.Config{Name: c.Name, Dir: c.Dir})
	if err != nil {
		t.Fatal(err)
	}
	if after := s.boot(t, again); after != before {
		t.Errorf("another machine: %q, %q", before, after)
	}
	s.status(t, again, c)
	return again
}

func (s Subject) boot(t *testing.T, m vm.Machine) string {
	t.Helper()
	b, err := io.ReadAll(s.dial(t, m, guest.Boot))
	if err != nil || len(b) < 2 {
		t.Fatalf("boot: %q, %v", b, err)
	}
	return strings.TrimSpace(string(b))
}

// kill ends the machine under open streams, which fail and do not end.
func (s Subject) kill(t *testing.T, m vm.Machine) {
	c := s.dial(t, m, guest.Echo)
	read := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); read <- err }()
	for range 2 {
		if err := m.Kill(s.context(t)); err != nil {
			t.Fatal(err)
		}
	}
	s.over(t, m, vm.Killed)
	if err := <-read; err == nil || err == io.EOF {
		t.Errorf("a stream of a killed machine: %v", err)
	}
}

func (s Subject) ends(t *testing.T, port uint32, reason vm.Reason) {
	m, _ := s.start(t)
	s.answer(t, m)
	if c, err := m.Dial(s.context(t), port); err == nil {
		defer c.Close()
	}
	s.over(t, m, reason)
}

// over checks everything of a machine that has ended.
func (s Subject) over(t *testing.T, m vm.Machine, reason vm.Reason) {
	t.Helper()
	ctx := s.context(t)
	select {
	case <-m.Done():
	case <-ctx.Done():
		t.Fatal("the machine does not end")
	}
	if got := m.Exit(); got.Reason != reason {
		t.Errorf("exit %q, want %s", got, reason)
	}
	_, dialed := m.Dial(ctx, guest.Echo)
	_, status := m.Status(ctx)
	for what, err := range map[string]error{
		"dial": dialed, "status": status, "power down": m.PowerDown(ctx), "pause": m.Pause(ctx), "resume": m.Resume(ctx),
	} {
		if !errors.Is(err, vm.ErrNotRunning) {
			t.Errorf("%s of an ended machine: %v", what, err)
		}
	}
	if err := m.Kill(ctx); err != nil {
		t.Errorf("kill of an ended machine: %v", err)
	}
}
