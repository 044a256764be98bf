package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/machineapi"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// patience is how long a boot may take where many tests run beside it: seconds on a quiet machine.
const patience = 4 * time.Minute

// person is somebody with berth on a computer of their own.
type person struct {
	testing.TB
	bin, root string
	env       []string
}

// newPerson skips where there is no machine to be had.
func newPerson(t *testing.T) *person {
	t.Helper()
	if testing.Short() {
		t.Skip("a virtual machine takes seconds to boot")
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"berth", "berth-hostagent", "vm/" + runtime.GOARCH + "/manifest.json"} {
		if _, err := os.Stat(filepath.Join(bin, f)); err != nil {
			t.Skipf("no virtual machine to be had (make build vmimage): %v", err)
		}
	}
	root, err := os.MkdirTemp("", "vm") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	p := &person{TB: t, bin: bin, root: root}
	p.env = append(os.Environ(), "BERTH_ROOT="+root, "DOCKER_CONFIG="+filepath.Join(root, "docker"), "BERTH_HOST=unix://"+p.file("docker.sock"))
	t.Cleanup(func() {
		if out, err := p.try("machine", "stop", "--force"); err != nil {
			t.Errorf("stopping the machine: %v: %s", err, out)
		}
		os.RemoveAll(root)
	})
	return p
}

func (p *person) file(name string) string { return filepath.Join(p.root, "machines", "default", name) }

// try runs berth and gives what it wrote.
func (p *person) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(p.bin, "berth"), args...)
	c.Env = p.env
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return errs.String() + out.String(), err
	}
	return out.String(), nil
}

func (p *person) berth(args ...string) string {
	p.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.Fatalf("berth %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (p *person) info() (m machineapi.Machine) {
	p.Helper()
	if err := json.Unmarshal([]byte(p.berth("machine", "info", "--format", "json")), &m); err != nil {
		p.Fatal(err)
	}
	return m
}

// page fetches what a published port serves, waiting for its container to come.
func (p *person) page(port int) string {
	p.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				return string(b)
			}
		}
		if time.Now().After(end) {
			p.Fatalf("port %d: %v", port, err)
		}
	}
}

// web loads the image of our own web server.
func (p *person) web() {
	p.Helper()
	server := filepath.Join(p.root, "server")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", server, "../demo/web")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		p.Fatalf("%v: %s", err, out)
	}
	image := filepath.Join(p.root, "image.tar")
	f, err := os.Create(image)
	if err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	pack := exec.Command("go", "run", "-buildvcs=false", "../demo/pack", "web:latest", server)
	pack.Stdout, pack.Stderr = f, os.Stderr
	if err := pack.Run(); err != nil {
		p.Fatal(err)
	}
	p.berth("load", "-i", image)
}

func free(t testing.TB) int {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestAMachineAsAPersonUsesIt boots once: a page through a published port, the host's files, the power gone, the host
// agent gone, an ordered end.
func TestAMachineAsAPersonUsesIt(t *testing.T) {
	p := newPerson(t)
	shared := filepath.Join(p.root, "site")
	if err := os.MkdirAll(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	p.berth("machine", "start", "--memory", "640m", "--share", shared)
	p.web()
	port := free(t)
	p.berth("run", "-d", "--name", "web", "--restart", "always", "-p", strconv.Itoa(port)+":80", "-v", shared+":/site", "-v", "kept:/kept", "web")
	if got := p.page(port); !strings.Contains(got, "Hello from a container") {
		t.Fatalf("the page is %q", got)
	}
	p.sharesFiles(shared)
	p.pulls("one")
	p.refuses(port, shared)
	p.looksInside()

	if err := syscall.Kill(p.info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The very next command may still meet the machine that is going; it is the one after that this is about.
	for end := time.Now().Add(time.Minute); p.info().State == machineapi.Running && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
	}
	if got := p.berth("ps", "-a", "--format", "{{.Names}}"); got != "web" {
		t.Errorf("after the power was gone there is %q", got)
	}
	if got := p.page(port); !strings.Contains(got, "Hello from a container") {
		t.Errorf("after the power was gone the page is %q", got)
	}

	if err := syscall.Kill(p.info().AgentPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	was := p.berth("ps", "-q") // starts another agent
	p.pulls("two")
	if got := p.page(port); !strings.Contains(got, was) {
		t.Errorf("another agent shows %q of container %s", got, was)
	}
	if out := p.berth("machine", "stop"); !strings.Contains(out, "is stopped") {
		t.Errorf("%q", out)
	}
	if out, err := p.try("machine", "status"); err == nil || !strings.Contains(out, "is stopped") {
		t.Errorf("%q, %v", out, err)
	}
}

// sharesFiles looks at the host's files from a container, by cp: the image has no shell.
func (p *person) sharesFiles(shared string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(shared, "page"), []byte("from the host"), 0o644); err != nil {
		p.Fatal(err)
	}
	out := filepath.Join(p.root, "out")
	p.berth("cp", "web:/site/page", out)
	if b, err := os.ReadFile(out); err != nil || string(b) != "from the host" {
		p.Errorf("the container has %q, %v", b, err)
	}
	p.berth("cp", out, "web:/site/back")
	if b, err := os.ReadFile(filepath.Join(shared, "back")); err != nil || string(b) != "from the host" {
		p.Errorf("the host has %q, %v", b, err)
	}
}

// looksInside runs commands in the machine itself, with pipes: as root, output and errors apart, with their exit codes.
func (p *person) looksInside() {
	p.Helper()
	if got := p.berth("machine", "shell", "--", "sh", "-c", "id -u; cat /proc/1/comm"); got != "0\ninit" {
		p.Errorf("in the machine: %q", got)
	}
	c := exec.Command(filepath.Join(p.bin, "berth"), "machine", "shell")
	c.Env, c.Stdin = p.env, strings.NewReader("cat /sys/class/net/lo/mtu\necho to errors >&2\nexit 42\n")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if out.String() != "65536\n" || errs.String() != "to errors\n" || c.ProcessState.ExitCode() != 42 {
		p.Errorf("a shell: %v: %q, %q", err, &out, &errs)
	}
	if out, err := p.try("machine", "shell", "--", "no-such-program"); err == nil || !strings.Contains(out, "not found") {
		p.Errorf("a program that is not there: %v: %s", err, out)
	}
}

// pulls takes an image from a registry on the host's loopback, which the machine knows by a name.
func (p *person) pulls(tag string) {
	p.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	at := server.Listener.Addr().(*net.TCPAddr)
	img, err := random.Image(1<<20, 2)
	if err != nil {
		p.Fatal(err)
	}
	ref, err := name.ParseReference(fmt.Sprintf("%s/picture:%s", at, tag), name.Insecure)
	if err != nil {
		p.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		p.Fatal(err)
	}
	p.berth("pull", fmt.Sprintf("host.docker.internal:%d/picture:%s", at.Port, tag))
	if out, err := p.try("pull", fmt.Sprintf("host.docker.internal:%d/picture:none", at.Port)); err == nil || !strings.Contains(out, "not found") {
		p.Errorf("an image that is not there: %v: %s", err, out)
	}
}

// refuses tries what must fail, with a reason.
func (p *person) refuses(port int, shared string) {
	p.Helper()
	taken, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		p.Fatal(err)
	}
	defer taken.Close()
	for want, args := range map[string][]string{
		"is not shared with the virtual machine":  {"-v", "/usr/share:/x"},
		"bind source path does not exist":         {"--mount", "type=bind,src=" + shared + "/none,dst=/x"},
		"port is already allocated":               {"-p", strconv.Itoa(port) + ":80"},
		"(pid " + strconv.Itoa(os.Getpid()) + ")": {"-p", strconv.Itoa(taken.Addr().(*net.TCPAddr).Port) + ":80"},
	} {
		out, err := p.try(append(append([]string{"run", "--rm"}, args...), "web")...)
		if err == nil || !strings.Contains(out, want) {
			p.Errorf("run %v: %v: %s; want %q", args, err, out, want)
		}
	}
}
