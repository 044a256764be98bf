//go:build linux && cgo && seccomp

package filter

import (
	"errors"
	"runtime"
	"testing"
	"unsafe"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// underFilter runs f in a thread that has loaded the program; the thread ends with it.
func underFilter(t *testing.T, p *Program, f func() unix.Errno) (result unix.Errno) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- err
			return
		}
		prog := unix.SockFprog{Len: uint16(len(p.Code) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&p.Code[0]))}
		_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(p.Flags), uintptr(unsafe.Pointer(&prog)))
		if e != 0 {
			done <- e
			return
		}
		result = f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return result
}

func call(nr uintptr, args ...uintptr) func() unix.Errno {
	var a [3]uintptr
	copy(a[:], args)
	return func() unix.Errno {
		_, _, e := unix.RawSyscall(nr, a[0], a[1], a[2])
		return e
	}
}

func profile(t *testing.T, caps ...string) *specs.LinuxSeccomp {
	t.Helper()
	p, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDefaultProfile(t *testing.T) {
	var c Cache
	p, err := c.Get(profile(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		do   func() unix.Errno
		want unix.Errno
	}{
		"an allowed call":          {call(unix.SYS_GETPPID), 0},
		"mount":                    {call(unix.SYS_UMOUNT2), unix.EPERM},
		"clone3 falls back":        {call(unix.SYS_CLONE3), unix.ENOSYS},
		"a call of the far future": {call(5000), unix.ENOSYS},
		"a personality":            {call(unix.SYS_PERSONALITY, 0x1234), unix.EPERM},
		"an allowed personality":   {call(unix.SYS_PERSONALITY, 0xffffffff), 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := underFilter(t, p, tc.do); got != tc.want {
				t.Errorf("errno %d (%v), want %d", got, got, tc.want)
			}
		})
	}
}

// A program compiled for one set of capabilities must never serve another (either way round).
func TestCacheKnowsCapabilities(t *testing.T) {
	var c Cache
	for range 2 {
		for _, tc := range []struct {
			caps []string
			want unix.Errno
		}{{nil, unix.EPERM}, {[]string{"CAP_SYS_ADMIN"}, unix.EFAULT}, {nil, unix.EPERM}} {
			p, err := c.Get(profile(t, tc.caps...))
			if err != nil {
				t.Fatal(err)
			}
			if got := underFilter(t, p, call(unix.SYS_UMOUNT2)); got != tc.want {
				t.Errorf("umount2 with %v: %v, want %v", tc.caps, got, tc.want)
			}
		}
	}
	if len(c.programs) != 2 {
		t.Errorf("%d programs for two profiles", len(c.programs))
	}
}

func TestWhatIsNotAProfile(t *testing.T) {
	var c Cache
	for name, p := range map[string]*specs.LinuxSeccomp{
		"action":       {DefaultAction: "SCMP_ACT_DANCE"},
		"architecture": {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_VAX"}},
		"operator": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "SCMP_CMP_LIKE"}}}}},
	} {
		if _, err := c.Get(p); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	_, err := c.Get(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActNotify}}})
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("a listener: %v", err)
	}
}
