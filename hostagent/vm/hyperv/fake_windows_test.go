package hyperv_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/hyperv/document"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
)

// service is the compute service of testdata/computecore.c, which lies where Windows has its own. A guest of it is a fake
// machine of package vmtest.
type service struct {
	t      *testing.T
	guests vmtest.Fake

	mu  sync.Mutex
	all map[string]vm.Machine // by identifier, as long as they run
}

var (
	dll     = windows.NewLazySystemDLL("computecore.dll")
	watch   = dll.NewProc("FakeHcsWatch")
	exit    = dll.NewProc("FakeHcsExit")
	fail    = dll.NewProc("FakeHcsFail")
	counted = dll.NewProc("FakeHcsOpen")
)

// The service has one watcher; a callback of Windows is never given back.
var (
	watching  sync.Mutex
	present   *service
	callbacks = sync.OnceValues(func() (check, change uintptr) {
		check = windows.NewCallback(func(root, doc *uint16) uintptr { return present.check(text(root), text(doc)) })
		change = windows.NewCallback(func(id *uint16, state uintptr) uintptr { present.change(text(id), uint32(state)); return 0 })
		return check, change
	})
)

func newService(t *testing.T) *service {
	t.Helper()
	if watch.Find() != nil {
		t.Skip("the computecore.dll here is not the tests' own")
	}
	watching.Lock()
	s := &service{t: t, all: map[string]vm.Machine{}}
	present = s
	check, change := callbacks()
	_, _, _ = watch.Call(check, change)
	t.Cleanup(func() {
		s.nothingIsLeft()
		watching.Unlock()
	})
	return s
}

func text(p *uint16) string { return windows.UTF16PtrToString(p) }

func wide(s string) unsafe.Pointer {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		panic(err)
	}
	return unsafe.Pointer(p)
}

// check holds a document against the schema of the Windows that this seems to be, and of the newest.
func (s *service) check(root, doc string) uintptr {
	for _, b := range []document.Build{document.Build(windows.RtlGetVersion().BuildNumber), document.Windows11} {
		if err := document.Check(root, []byte(doc), b); err != nil {
			s.t.Errorf("a document that Windows build %d does not take: %v\n%s", b, err, doc)
			return 0x80004005
		}
	}
	return 0
}

// change follows a system with its guest.
func (s *service) change(id string, state uint32) {
	ctx := context.Background()
	if state == 1 && s.guest(id) == nil {
		s.boot(ctx, id)
		return
	}
	g := s.guest(id)
	var err error
	switch state {
	case 1:
		err = g.Resume(ctx)
	case 2:
		err = g.Pause(ctx)
	case 3:
		if g != nil {
			s.lose(id, g) // now: the next of its name may come before its end is heard of
			err = g.Kill(ctx)
		}
	}
	if err != nil {
		s.t.Errorf("the guest: %v", err)
	}
}

func (s *service) guest(id string) vm.Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

func (s *service) lose(id string, g vm.Machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == g {
		delete(s.all, id)
	}
}

func (s *service) boot(ctx context.Context, id string) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer null.Close()
	c := vm.Config{Name: id, Dir: id, Arch: "amd64", CPUs: 1, Memory: 256 << 20, Accelerator: vm.Hypervisor}
	g, err := s.guests.Start(ctx, c, vm.Files{Kernel: null})
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.all[id] = g
	s.mu.Unlock()
	go s.follow(id, g)
}

// follow ends the system when its guest ends: a guest that panics says so on its console and resets itself.
func (s *service) follow(id string, g vm.Machine) {
	<-g.Done()
	s.lose(id, g)
	if g.Exit().Reason == vm.Crashed {
		s.say(id, "Kernel panic - not syncing: the guest was told to\r\n")
	}
	if g.Exit().Reason != vm.Killed {
		_, _, _ = exit.Call(uintptr(wide(id)), uintptr(wide(`{"Status":0,"ExitType":"GracefulExit"}`)))
	}
}

// say writes on the guest's console. Under Wine the first connection to a listener of go-winio reaches its spare pipe, which
// nobody serves: it is thrown away.
func (s *service) say(id, line string) {
	pipe := `\\.\pipe\berth-console-` + id
	wait := 10 * time.Second
	if spare, err := winio.DialPipe(pipe, &wait); err == nil {
		spare.Close()
	}
	var c net.Conn
	var err error
	for range 100 {
		if c, err = winio.DialPipe(pipe, &wait); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		s.t.Errorf("the console: %v", err)
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(wait))
	if _, err := io.WriteString(c, line); err != nil {
		s.t.Errorf("the console: %v", err)
	}
	time.Sleep(100 * time.Millisecond) // Hyper-V's own end is open until the machine is gone
}

// dial is what Hyper-V's sockets are on Windows.
func (s *service) dial(ctx context.Context, id string, port uint32) (transport.Half, error) {
	g := s.guest(id)
	if g == nil {
		return nil, errors.New("no such virtual machine")
	}
	c, err := g.Dial(ctx, port)
	if err != nil && strings.Contains(err.Error(), vm.ErrNotRunning.Error()) {
		err = windows.WSAECONNREFUSED
	}
	return c, err
}

// fails has the next call of a function fail.
func (s *service) fails(name string, code uint32, late bool) {
	var l uintptr
	if late {
		l = 1
	}
	_, _, _ = fail.Call(uintptr(wide(name)), uintptr(code), l)
}

// nothingIsLeft: every system, operation and handle is closed again.
func (s *service) nothingIsLeft() {
	var systems, operations, handles int32
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, _, _ = counted.Call(uintptr(unsafe.Pointer(&systems)), uintptr(unsafe.Pointer(&operations)), uintptr(unsafe.Pointer(&handles)))
		if systems+operations+handles == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Errorf("left open: %d systems, %d operations, %d handles", systems, operations, handles)
			return
		}
	}
}
