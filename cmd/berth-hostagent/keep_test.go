//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
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
	"github.com/berthhq/berth/hostagent/vm/vmtest/testvm"
)

// TestMain makes the test's program berth-hostagent where it is started as such.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keep" {
		os.Exit(run(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

func TestKeepRefuses(t *testing.T) {
	for args, want := range map[string]string{"keep": "the name of a driver", "keep abacus": `no driver "abacus"`} {
		var out strings.Builder
		if code := run(strings.Fields(args), &out); code != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("%q: code %d: %s", args, code, out.String())
		}
	}
}

func TestTheLogIsBounded(t *testing.T) {
	var out bytes.Buffer
	say := bounded(slog.New(slog.NewTextHandler(&out, nil)))
	for range 3 * mostLines {
		say("something")
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != mostLines {
		t.Errorf("%d lines", n)
	}
}

// TestKeptVirtualMachine is the contract on the real thing: QEMU in a keeper, and a guest that answers.
func TestKeptVirtualMachine(t *testing.T) {
	d := drivers()["qemu"]
	if _, err := d.Accelerators(runtime.GOARCH); err != nil {
		t.Skip(err)
	}
	image := testvm.Make(t, runtime.GOARCH)
	config := func(t *testing.T) (vm.Config, vm.Files) { return image.Config(t, runtime.GOARCH) }
	t.Run("Contract", func(t *testing.T) {
		vmtest.Run(t, vmtest.Subject{Driver: d, Config: config, Streams: 2000, Bytes: 16 << 20, Wait: 2 * time.Minute})
	})
	t.Run("KilledKeeper", func(t *testing.T) { killedKeeper(t, d, config) })
}

// killedKeeper: QEMU dies with its keeper, streams are cut, and the machine can be started again.
func killedKeeper(t *testing.T, d vm.Driver, config func(*testing.T) (vm.Config, vm.Files)) {
	c, files := config(t)
	m, err := d.Start(t.Context(), c, files)
	if err != nil {
		t.Fatal(err)
	}
	var s io.ReadCloser
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if s, err = m.Dial(t.Context(), guest.Stall); err == nil {
			break
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer s.Close()
	st, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keeper := parent(t, st.PID)
	small(t, keeper)
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the stream ends with %v", err)
	}
	<-m.Done()
	if got := m.Exit().Reason; got != vm.Lost {
		t.Errorf("exit %s", got)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(st.PID, 0) == nil && !zombie(st.PID); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("QEMU outlives its keeper")
		}
	}
	again, err := d.Start(t.Context(), c, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Kill(t.Context()); err != nil {
		t.Error(err)
	}
}

// small: a keeper of an idle machine takes little memory, that of the guest not counted, and sleeps.
func small(t *testing.T, pid int) {
	t.Helper()
	const seconds = 10
	time.Sleep(2 * time.Second) // what the start has left to do
	before := switches(t, pid)
	time.Sleep(seconds * time.Second)
	woken := switches(t, pid) - before
	pss := ownMemory(t, pid)
	t.Logf("an idle keeper has %.1f MB and wakes up %.1f times a second", float64(pss)/1024, float64(woken)/seconds)
	if pss > 40<<10 || woken > seconds {
		t.Errorf("%d kB, %d wake-ups in %d s", pss, woken, seconds)
	}
}

// switches counts how often a process has gone to sleep.
func switches(t *testing.T, pid int) (n int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("tasks of %d: %v", pid, err)
	}
	for _, file := range files {
		n += field(file, "\nvoluntary_ctxt_switches:")
	}
	return n
}

// field is the sum of all numbers that follow a name in a file.
func field(file, name string) (sum int) {
	b, _ := os.ReadFile(file)
	for _, part := range strings.Split(string(b), name)[1:] {
		n, _ := strconv.Atoi(strings.Fields(part)[0])
		sum += n
	}
	return sum
}

// ownMemory is a process's proportional set in kB without what is the guest's.
func ownMemory(t *testing.T, pid int) (kB int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	guests := false
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if !strings.HasSuffix(f[0], ":") {
			guests = strings.Contains(line, "/memfd:")
		}
		if f[0] == "Pss:" && !guests {
			n, _ := strconv.Atoi(f[1])
			kB += n
		}
	}
	return kB
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	n, err := strconv.Atoi(stat(pid)[1])
	if err != nil || n <= 1 {
		t.Fatalf("parent of %d: %d, %v", pid, n, err)
	}
	return n
}

func zombie(pid int) bool { return stat(pid)[0] == "Z" }

// stat is the state and the parent of a process.
func stat(pid int) []string {
	b, _ := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	_, rest, _ := strings.Cut(string(b), ") ")
	return append(strings.Fields(rest), "Z", "0")[:2]
}
