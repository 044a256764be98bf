package stories

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"golang.org/x/sys/unix"
)

// The link to another machine, which is a network namespace.
const (
	ourAddr       = "10.55.0.1"
	neighbourAddr = "10.55.0.2"
	neighbourNS   = "neighbour"
)

// sh runs a command of the machine, which must succeed, and gives what it prints.
func sh(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// need skips a test where a program is not installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// addNeighbour makes the other machine, which serves /etc/passwd at port 8000.
func addNeighbour(t *testing.T) {
	t.Helper()
	need(t, "ip", "busybox")
	sh(t, "ip", "netns", "add", neighbourNS)
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "delete", "up0").Run()
		sh(t, "ip", "netns", "delete", neighbourNS)
	})
	sh(t, "ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", neighbourNS)
	sh(t, "ip", "addr", "add", ourAddr+"/24", "dev", "up0")
	sh(t, "ip", "link", "set", "up0", "up")
	sh(t, "ip", "-n", neighbourNS, "addr", "add", neighbourAddr+"/24", "dev", "up1")
	sh(t, "ip", "-n", neighbourNS, "link", "set", "up1", "up")
	serve := exec.Command("ip", "netns", "exec", neighbourNS, "busybox", "httpd", "-f", "-p", "8000", "-h", "/etc")
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Process.Kill(); _ = serve.Wait() })
}

// arrives says whether the neighbour reads the seed at a port of ours.
func arrives(port int) bool {
	page := make(chan string)
	go func() {
		runtime.LockOSThread() // and never given back: the thread ends with the goroutine
		page <- fromNeighbour(fmt.Sprintf("%s:%d", ourAddr, port))
	}()
	return strings.HasSuffix(<-page, seed)
}

// fromNeighbour asks a web server from the neighbour's namespace, which the thread stays in.
func fromNeighbour(addr string) string {
	ns, err := os.Open("/run/netns/" + neighbourNS)
	if err != nil {
		return err.Error()
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err.Error()
	}
	conn, err := net.DialTimeout("tcp", addr, 3*time.Second)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET /seed HTTP/1.0\r\n\r\n"); err != nil {
		return err.Error()
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// leaves says whether a container reads the neighbour's page.
func leaves(w *harness.World, id string) bool {
	w.Helper()
	out, _ := w.Exec(id, "timeout", "5", "wget", "-q", "-O", "-", "http://"+neighbourAddr+":8000/passwd")
	return strings.Contains(out, "root:")
}
