//go:build linux || darwin

package vz

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

func simulated(s *sim) *Driver {
	return &Driver{
		host: Host{Arch: "arm64", MacOS: "15.1"}, open: func() (runtime, error) { return s, nil },
		pathOf: func(f *os.File) (string, error) { return f.Name(), nil },
	}
}

func config(t *testing.T) (vm.Config, vm.Files) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	return vm.Config{
		Name: "test", Dir: t.TempDir(), Arch: "arm64", CPUs: 8, Memory: 256 << 20, Accelerator: vm.Hypervisor,
		Disks: []vm.Disk{{Name: "data"}},
	}, vm.Files{Kernel: open("kernel"), Initrd: open("initrd"), Disks: []*os.File{open("data.img")}}
}

// TestContract runs the driver's own code, all but the Objective-C runtime, on a simulated framework.
func TestContract(t *testing.T) {
	s := newSim(t)
	vmtest.Run(t, vmtest.Subject{Driver: simulated(s), Config: config, Streams: 200, Bytes: 4 << 20, Wait: 60 * time.Second})
	for end := time.Now().Add(30 * time.Second); len(leaked(s)) > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if left := leaked(s); len(left) > 0 {
		t.Errorf("objects that nobody released: %v", left)
	}
}

// leaked leaves out what the simulated framework itself keeps.
func leaked(s *sim) (names []string) {
	for _, n := range s.live() {
		if n != "VZVirtioSocketDevice" && n != "NSArray" {
			names = append(names, n)
		}
	}
	return names
}

func started(t *testing.T, s *sim) vm.Machine {
	t.Helper()
	c, files := config(t)
	m, err := simulated(s).Start(t.Context(), c, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestSeededMistakes changes every message that a machine's life sends, one thing at a time, and sees each refused before
// it is sent.
func TestSeededMistakes(t *testing.T) {
	s := newSim(t)
	m := started(t, s)
	c, err := m.Dial(t.Context(), guest.Bye)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "bye\n" {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	if err := errors.Join(m.Pause(t.Context()), m.Resume(t.Context()), m.PowerDown(t.Context())); err != nil {
		t.Fatal(err)
	}
	<-m.Done()
	s.replay = true
	seen, tried := map[string]bool{}, 0
	for _, c := range s.calls {
		if seen[c.name] {
			continue
		}
		seen[c.name] = true
		class, selector, _ := strings.Cut(c.name, " ")
		receiver := s.class(class)
		if selector[0] == '-' {
			receiver = s.add(&thing{class: class, refs: 1})
		}
		refused := func(what, name string, to object, args []any) {
			t.Helper()
			tried++
			before := len(s.calls)
			x := &script{rt: s, table: s.table}
			x.call(to, name, args...)
			if x.err == nil || len(s.calls) != before {
				t.Errorf("%s: %s was sent: %v", c.name, what, x.err)
			}
		}
		refused("a letter left out", c.name[:len(c.name)-1], receiver, c.args)
		refused("a colon too many", c.name+":", receiver, c.args)
		refused("the other kind of method", strings.NewReplacer(" -", " +", " +", " -").Replace(c.name), receiver, c.args)
		refused("another class", strings.Replace(c.name, class, "VZMacOSBootLoader", 1), receiver, c.args)
		refused("an argument too many", c.name, receiver, append(c.args[:len(c.args):len(c.args)], uint64(1)))
		refused("nil as receiver", c.name, 0, c.args)
		for i := range c.args {
			for _, other := range []any{uint64(1), int64(1), uint32(1), int32(1), true, "text", 1, nil, object(receiver), done(nil), connected(nil)} {
				if typeOf(other) == typeOf(c.args[i]) {
					continue
				}
				changed := append([]any(nil), c.args...)
				changed[i] = other
				refused("another type of argument", c.name, receiver, changed)
			}
			refused("an argument too few", c.name, receiver, c.args[:i])
		}
	}
	if len(seen) < 40 || tried < 400 {
		t.Errorf("only %d messages, %d mistakes", len(seen), tried)
	}
	for name := range s.table.methods { // the table is no longer than what is sent
		if m := s.table.methods[name]; !seen[name] && m.class != "NSError" && m.selector != "stopWithCompletionHandler:" && m.selector != "retain" && m.selector != "count" {
			t.Errorf("nobody sends %s", name)
		}
	}
}

func TestAnObjectOfAnotherClassIsRefused(t *testing.T) {
	s := newSim(t)
	x := &script{rt: s, table: s.table}
	s.pool(func() {
		c := x.create("VZVirtualMachineConfiguration -init")
		x.call(c, "VZVirtualMachineConfiguration -setBootLoader:", x.create("VZGenericPlatformConfiguration -init"))
	})
	if x.err == nil || !strings.Contains(x.err.Error(), "argument 1 is @, not @VZBootLoader") {
		t.Errorf("%v", x.err)
	}
}

func TestDifferencesToAMacAreTold(t *testing.T) {
	s := newSim(t)
	d := simulated(s)
	if all, err := d.Differences(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	s.wrong["VZVirtualMachine -state"] = "i16@0:8"
	s.wrong["VZVirtualMachine +isSupported"] = "c16@0:8" // BOOL on Intel
	if all, err := d.Differences(); err != nil || len(all) != 1 || all[0] != "VZVirtualMachine -state is i16@0:8, not q@:" {
		t.Errorf("%v, %v", all, err)
	}
	s.wrong["VZVirtualMachine -stopWithCompletionHandler:"] = ""
	c, files := config(t)
	if _, err := d.Start(t.Context(), c, files); err == nil || !strings.Contains(err.Error(), "macOS 15.1 has no VZVirtualMachine -stopWithCompletionHandler:") {
		t.Errorf("%v", err)
	}
}

func TestAnOlderMacDoesWithoutWhatIsNew(t *testing.T) {
	s := newSim(t)
	s.macOS = 14
	d := simulated(s)
	d.host.MacOS = "14.0"
	_, h, err := d.ask()
	if err != nil || h.Nested || !h.Rosetta || h.MaxCPUs != 4 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestFailuresAreExplained(t *testing.T) {
	for selector, c := range map[string]struct {
		fails simError
		want  string
	}{
		"validateWithError:":          {simError{domainVZ, codeConfig, "The process doesn’t have the “com.apple.security.virtualization” entitlement."}, "berth-hostagent is not signed for it"},
		"startWithCompletionHandler:": {simError{domainVZ, codeLimit, "Too many."}, "Too many: this Mac runs as many virtual machines as it may"},
		"initWithURL:readOnly:cachingMode:synchronizationMode:error:": {simError{domainVZ, codeDisk, "Bad image."}, "data.img: Bad image: the disk's file is damaged"},
		"initWithError:": {simError{domainVZ, 10, "No Rosetta."}, "Rosetta: No Rosetta."},
	} {
		s := newSim(t)
		s.fails[selector] = &c.fails
		conf, files := config(t)
		if _, err := simulated(s).Start(t.Context(), conf, files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", selector, err)
		}
		if left := leaked(s); len(left) > 0 {
			t.Errorf("%s: left are %v", selector, left)
		}
		delete(s.fails, selector) // nothing is left running
		m, err := simulated(s).Start(t.Context(), conf, files)
		if err != nil {
			t.Fatalf("%s: the second start: %v", selector, err)
		}
		m.Close()
	}
}

func TestAReplacedFileIsRefused(t *testing.T) {
	c, files := config(t)
	name := files.Kernel.Name()
	if err := errors.Join(os.Rename(name, name+".old"), os.WriteFile(name, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := simulated(newSim(t)).Start(t.Context(), c, files); err == nil || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("%v", err)
	}
}

func TestThePowerButtonThatIsRefused(t *testing.T) {
	s := newSim(t)
	m := started(t, s)
	s.fails["requestStopWithError:"] = &simError{domainVZ, codeState, "Not now."}
	if err := m.PowerDown(t.Context()); err == nil || !strings.Contains(err.Error(), "pressing the power button: Not now") {
		t.Errorf("%v", err)
	}
}

// TestAConnectionThatComesTooLateIsClosed: the guest sees its end, and no descriptor is left.
func TestAConnectionThatComesTooLateIsClosed(t *testing.T) {
	s := newSim(t)
	m := started(t, s)
	if err := m.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Dial(ctx, guest.Sink); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := m.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := m.Status(t.Context()); err != nil || st.Streams != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestACrashTellsTheKernelsLastWords(t *testing.T) {
	m := started(t, newSim(t))
	c, err := m.Dial(t.Context(), guest.Crash)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a stream of a guest that crashed carries something")
	}
	<-m.Done()
	if got := m.Exit(); got.Reason != vm.Crashed || !strings.Contains(got.Detail, "sysrq triggered crash") {
		t.Errorf("%s", got)
	}
}

func TestErrorsOfPOSIX(t *testing.T) {
	for code, want := range map[int64]error{54: syscall.ECONNREFUSED, 61: syscall.ECONNREFUSED, 60: syscall.ETIMEDOUT, 24: syscall.EMFILE, 9: nil} {
		if got := (&Failure{Domain: domainPOSIX, Code: code}).Unwrap(); got != want {
			t.Errorf("%d: %v", code, got)
		}
	}
}
