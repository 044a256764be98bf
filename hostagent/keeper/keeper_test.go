//go:build linux

package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

const (
	envKeep  = "BERTH_TEST_KEEP"  // this process is a keeper
	envAgent = "BERTH_TEST_AGENT" // this process is an agent, for a machine in this directory
)

// TestMain makes the test's program the keeper, too.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(envKeep) != "":
		os.Exit(keepFake())
	case os.Getenv(envAgent) != "":
		os.Exit(agent(os.Getenv(envAgent)))
	}
	os.Exit(m.Run())
}

func keepFake() int {
	var files []*os.File
	for fd := uintptr(3); fd < 5; fd++ {
		files = append(files, os.NewFile(fd, "handed down"))
	}
	if err := Keep(&vmtest.Fake{}, os.Stdin, os.Stdout, files); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// agent starts a machine and stays, for somebody to kill it.
func agent(dir string) int {
	kernel, err := os.Open(os.DevNull)
	if err == nil {
		_, err = driver().Start(context.Background(), describe(dir), vm.Files{Kernel: kernel})
	}
	fmt.Println(err)
	time.Sleep(time.Minute)
	return 1
}

func driver() *Driver {
	return &Driver{Driver: &vmtest.Fake{}, Command: []string{"/usr/bin/env", envKeep + "=1", "/proc/" + strconv.Itoa(os.Getpid()) + "/exe"}}
}

func describe(dir string) vm.Config {
	return vm.Config{Name: "test", Dir: dir, Arch: runtime.GOARCH, CPUs: 1, Memory: 256 << 20, Accelerator: vm.Emulation}
}

func config(t *testing.T) (vm.Config, vm.Files) {
	kernel, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernel.Close() })
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return describe(dir), vm.Files{Kernel: kernel}
}

func TestKeptMachinesKeepTheContract(t *testing.T) {
	vmtest.Run(t, vmtest.Subject{Driver: driver(), Config: config, Streams: 500, Bytes: 4 << 20, Wait: 30 * time.Second})
}

func start(t *testing.T) (vm.Machine, vm.Config) {
	t.Helper()
	c, files := config(t)
	m, err := driver().Start(t.Context(), c, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(m.Kill(context.Background()), m.Close()); err != nil {
			t.Error(err)
		}
	})
	return m, c
}

// keeperOf finds the process by the lock that it holds.
func keeperOf(t *testing.T, dir string) int {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if name, _ := os.Readlink(link); name == filepath.Join(dir, "keeper.lock") {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("nobody keeps the machine")
	return 0
}

// TestTheKeeperOutlivesTheAgent kills an agent and attaches to what it has left.
func TestTheKeeperOutlivesTheAgent(t *testing.T) {
	c, _ := config(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envAgent+"="+c.Dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Its keeper runs the program of a process that is gone by then, so it must not look for it again.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 5)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "<nil>" {
		t.Fatalf("%q, %v", said, err)
	}
	if err := errors.Join(cmd.Process.Kill(), ignore(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	m, err := driver().Attach(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Dial(t.Context(), guest.Bye)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(s); err != nil || string(b) != "bye\n" {
		t.Errorf("%q, %v", b, err)
	}
	s.Close()
	if err := m.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	m.Close()
}

func ignore(error) error { return nil }

// TestAKilledKeeperCutsStreams: what it leaves looks like an end to the kernel, and must not to a reader.
func TestAKilledKeeperCutsStreams(t *testing.T) {
	m, c := start(t)
	s, err := m.Dial(t.Context(), guest.Echo)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	read := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); read <- err }()
	if err := syscall.Kill(keeperOf(t, c.Dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the stream ends with %v", err)
	}
	<-m.Done()
	if got := m.Exit().Reason; got != vm.Lost {
		t.Errorf("exit %s", got)
	}
	if _, err := driver().Attach(t.Context(), c); !errors.Is(err, vm.ErrNotRunning) {
		t.Errorf("attaching to what is gone: %v", err)
	}
	c2, files := config(t)
	c2.Dir = c.Dir
	again, err := driver().Start(t.Context(), c2, files) // over the stale socket
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Kill(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTerminationPowersDown(t *testing.T) {
	m, c := start(t)
	if err := syscall.Kill(keeperOf(t, c.Dir), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-m.Done()
	if got := m.Exit().Reason; got != vm.PoweredOff {
		t.Errorf("exit %s", got)
	}
}

func TestStartSaysWhyItFails(t *testing.T) {
	c, files := config(t)
	d := driver()
	d.Command = []string{"/bin/false"}
	if _, err := d.Start(t.Context(), c, files); err == nil || !strings.Contains(err.Error(), "keeper.log") {
		t.Errorf("%v", err)
	}
	d.Command = []string{"/no/such/program"}
	if _, err := d.Start(t.Context(), c, files); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
	d.Command = []string{"/bin/sleep", "60"}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Start(ctx, c, files); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestOddRequests: whoever may use the socket may also be of another version.
func TestOddRequests(t *testing.T) {
	m, _ := start(t)
	k := m.(*machine)
	for line, want := range map[string]string{
		`{"version":1,"verb":"dance"}`:  `knows no verb "dance"`,
		`{"version":2,"verb":"status"}`: "version 1",
	} {
		c, err := k.open(request{Verb: "status"})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		c = dialRaw(t, k)
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			t.Fatal(err)
		}
		var r reply
		if err := receive(c, &r); err != nil || !strings.Contains(r.Error, want) {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	c := dialRaw(t, k)
	if _, err := c.Write(make([]byte, 2*maxLine)); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("an endless line is answered by %d bytes", n)
	}
	if _, err := m.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func dialRaw(t *testing.T, k *machine) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: k.names.KeeperSocket(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestAClosedStreamIsClosedInTheGuest: not only the half that is written.
func TestAClosedStreamIsClosedInTheGuest(t *testing.T) {
	m, _ := start(t)
	for _, port := range []uint32{guest.Echo, guest.Stall, guest.Sink} {
		s, err := m.Dial(t.Context(), port)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CloseWrite(); err != nil {
			t.Error(err)
		}
		s.Close()
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		st, err := m.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Streams == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d streams are open in the guest", st.Streams)
		}
	}
}

func TestEndingsAreBounded(t *testing.T) {
	e := newEndings()
	for i := range uint64(3 * mostEndings) {
		e.add(i)
	}
	if len(e.clean) != mostEndings || len(e.order) != mostEndings || e.has(0) || !e.has(3*mostEndings-1) || !e.has(2*mostEndings) {
		t.Errorf("%d and %d are remembered", len(e.clean), len(e.order))
	}
}
