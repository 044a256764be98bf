//go:build linux

package keep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const role = "BERTH_TEST_ROLE"

// TestMain lets the test program be a keeper, or the supervisor that it starts.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "keeper":
		os.Setenv(role, "supervisor")
		err = Run(Config{Program: "/proc/self/exe", Args: []string{"supervisor"}, Listen: os.Stdin, Log: log.New(io.Discard, "", 0)})
	case "supervisor":
		err = supervise()
	case "terminated":
		unix.Kill(os.Getpid(), unix.SIGTERM)
		time.Sleep(time.Minute)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// supervise has a life in three parts, told apart by what the keeper holds.
func supervise() error {
	c, items, err := Open(os.NewFile(4, "keeper"))
	if err != nil {
		return err
	}
	if len(items) == 0 {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		child := exec.Command("sh", "-c", "sleep 0.2; exit 7")
		if err := child.Start(); err != nil {
			return err
		}
		must(c.Put("gone", "x", r))
		c.Drop("gone")
		must(c.Put("pipe", child.Process.Pid, r, w))
		w.WriteString("said before")
		time.Sleep(50 * time.Millisecond)
		return unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	var pid int
	must(json.Unmarshal(items[0].Note, &pid))
	items[0].Files[1].Close()
	buf := make([]byte, 100)
	n, err := items[0].Files[0].Read(buf)
	must(err)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if status, ok := c.Exit(pid); ok {
			fmt.Printf("items %d key %s read %q exit %d\n", len(items), items[0].Key, buf[:n], status>>8)
			return nil
		}
	}
	return fmt.Errorf("no exit of %d", pid)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func TestTheNextSupervisorGoesOn(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"=keeper")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if want := `items 1 key pipe read "said before" exit 7`; strings.TrimSpace(line) != want {
		t.Errorf("the second supervisor says %q", line)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the keeper: %v", err)
	}
}

// A supervisor that SIGTERM ends, whether or not it handles it, is not started again.
func TestSIGTERMIsTheEnd(t *testing.T) {
	t.Setenv(role, "terminated")
	var said bytes.Buffer
	if err := Run(Config{Program: "/proc/self/exe", Args: []string{"supervisor"}, Listen: os.Stdin, Log: log.New(&said, "", 0)}); err != nil || said.Len() > 0 {
		t.Errorf("error %v, %s", err, said.String())
	}
}

func TestSupervisorThatCannotStart(t *testing.T) {
	err := Run(Config{Program: "/no/such/program", Args: []string{"x"}, Listen: os.Stdin, Log: log.New(io.Discard, "", 0)})
	if err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("error %v", err)
	}
}

func TestNoKeeper(t *testing.T) {
	var c *Client
	if err := c.Put("k", 1, os.Stdin); err != nil {
		t.Error(err)
	}
	c.Drop("k")
	if _, ok := c.Exit(1); ok {
		t.Error("an exit is known")
	}
}
