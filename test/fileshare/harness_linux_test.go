// Package fileshare runs the host's file server and the guest's relay together on this machine: a mount of /dev/fuse in a
// mount namespace of the tests' own, and server, relay and tests in three processes, as host, guest and container are.
package fileshare

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/sharerelay"
	"github.com/berthhq/berth/hostagent/fileshare"
)

const (
	roleEnv = "BERTH_FILESHARE_TEST_ROLE" // namespace, server, relay; other tests add theirs
	specEnv = "BERTH_FILESHARE_TEST_SPEC"
)

// spec is what the server's process is told.
type spec struct {
	Options fileshare.Options
	Socket  string
	Share   string
	Session string
	Wait    bool // until the test says go: a process with a file of the mount open cannot start another without a server
}

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		if os.Getuid() != 0 {
			fmt.Println("skipped: these tests mount, which wants root")
			os.Exit(0)
		}
		os.Exit(inNamespace())
	case "namespace":
		_ = os.Unsetenv(roleEnv)
		os.Exit(m.Run())
	default:
		os.Exit(play(role))
	}
}

// inNamespace runs the tests once more in a mount namespace of their own.
func inNamespace() int {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Env = append(os.Environ(), roleEnv+"=namespace")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if err := c.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		fmt.Println(err)
		return 1
	}
	return 0
}

func play(role string) int {
	var err error
	switch role {
	case "server":
		err = playServer()
	case "relay":
		err = playRelay()
	case "program":
		err = playProgram(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		return 1
	}
	return 0
}

// until returns when the test closes the process' input.
func until() { _, _ = io.Copy(io.Discard, os.Stdin) }

func playServer() error {
	var sp spec
	if err := json.Unmarshal([]byte(os.Getenv(specEnv)), &sp); err != nil {
		return err
	}
	if sp.Wait {
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
	s, err := fileshare.New(sp.Options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	wait, err := s.Connect(ctx, fileshare.Link{
		Share: sp.Share, Session: sp.Session, Workers: 4, Report: func(err error) { fmt.Fprintln(os.Stderr, "server:", err) },
		Dial: func(ctx context.Context) (io.ReadWriteCloser, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", sp.Socket)
		},
	})
	if err == nil {
		fmt.Println("ready")
		until()
	}
	cancel()
	wait()
	return errors.Join(err, s.Close())
}

func playRelay() error {
	var sp spec
	if err := json.Unmarshal([]byte(os.Getenv(specEnv)), &sp); err != nil {
		return err
	}
	l, err := net.Listen("unix", sp.Socket)
	if err != nil {
		return err
	}
	r := sharerelay.New(filepath.Dir(sp.Socket))
	ended := make(chan struct{})
	go func() {
		_ = r.ServeAll(l, func(err error) { fmt.Fprintln(os.Stderr, "relay:", err) })
		close(ended)
	}()
	fmt.Println("ready")
	until()
	_ = l.Close()
	<-ended
	r.Close()
	return nil
}

// process is a server or a relay.
type process struct {
	cmd   *exec.Cmd
	role  string
	input io.WriteCloser
	lines *bufio.Scanner
}

// start runs this program in a role and waits until it says that it is ready.
func start(t testing.TB, role string, sp spec) *process {
	t.Helper()
	body, err := json.Marshal(sp)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), roleEnv+"="+role, specEnv+"="+string(body))
	c.Stderr = os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: c, role: role, input: in, lines: bufio.NewScanner(out)}
	t.Cleanup(p.stop)
	if !sp.Wait {
		p.ready(t)
	}
	return p
}

func (p *process) ready(t testing.TB) {
	t.Helper()
	if !p.lines.Scan() {
		p.stop()
		t.Fatalf("the %s did not start", p.role)
	}
}

// begin lets a process go on that waits.
func (p *process) begin(t testing.TB) {
	t.Helper()
	_, err := p.input.Write([]byte("\n"))
	must(t, err)
	p.ready(t)
}

// stop ends the process in order.
func (p *process) stop() {
	_ = p.input.Close()
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// kill is a crash.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// share is a directory of the host and its mount.
type share struct {
	host, guest   string
	server, relay *process
	spec          spec
}

// mounted serves a new directory, or what o names, and mounts it.
func mounted(t testing.TB, o fileshare.Options) *share {
	t.Helper()
	base := scratch(t)
	if o.Path == "" {
		o.Path = filepath.Join(base, "host")
		if err := os.Mkdir(o.Path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sp := spec{Options: o, Socket: filepath.Join(base, "relay.sock"), Share: "mnt", Session: "one"}
	s := &share{host: o.Path, guest: filepath.Join(base, "mnt"), spec: sp}
	s.relay = start(t, "relay", sp)
	s.server = start(t, "server", sp)
	return s
}

// scratch is a new directory with a short name, which sockets need.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fs")
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() {
		_ = unix.Unmount(filepath.Join(dir, "mnt"), unix.MNT_DETACH)
		_ = os.RemoveAll(dir)
	})
	return dir
}
