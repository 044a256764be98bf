package guestagent

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

const hostname = "berth"

// clockSlack is how far the clock may be off: setting it makes time jump for everybody, and a stream takes a while.
const clockSlack = 100 * time.Millisecond

// protected is the OOM score of everything that is not a container; the agent's children inherit it.
const protected = "-999"

func setUp() error {
	for name, value := range map[string]string{
		"/proc/self/oom_score_adj": protected,
		// A container may use up what is there of these, and so must not find a laptop's defaults.
		"/proc/sys/fs/inotify/max_user_instances": "8192",
		"/proc/sys/fs/inotify/max_user_watches":   "1048576",
		"/proc/sys/vm/max_map_count":              "262144",
		"/proc/sys/kernel/keys/maxkeys":           "20000",
		"/proc/sys/net/core/somaxconn":            "4096",
		// The host ends the machine; three keys at a console do not.
		"/proc/sys/kernel/ctrl-alt-del": "0",
	} {
		if err := os.WriteFile(name, []byte(value), 0); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("the hostname: %w", err)
	}
	return loopbackUp()
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, req); err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	return nil
}

// setClock takes the host's time where the guest's is off.
func setClock(t agentapi.Time) error {
	if t.UnixNano <= 0 {
		return agentapi.Errorf(agentapi.CodeInvalid, "the time %d is before 1970", t.UnixNano)
	}
	if off := time.Until(time.Unix(0, t.UnixNano)); off.Abs() < clockSlack {
		return nil
	}
	ts := unix.NsecToTimespec(t.UnixNano)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}

// memory reads /proc/meminfo.
func memory() (agentapi.Memory, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return agentapi.Memory{}, err
	}
	return parseMeminfo(string(b))
}

// reclaim gives up clean caches, and then asks for the cgroups' cold pages where more is wanted than is free.
func reclaim(r agentapi.Reclaim) (agentapi.Memory, error) {
	m, err := memory()
	if err != nil || (r.Bytes > 0 && m.Free >= r.Bytes) {
		return m, err
	}
	unix.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return m, fmt.Errorf("dropping caches: %w", err)
	}
	if err := os.WriteFile("/proc/sys/vm/compact_memory", []byte("1"), 0); err != nil { // whole blocks can be reported free
		return m, fmt.Errorf("compacting memory: %w", err)
	}
	return memory()
}

// uptime is since the kernel began.
func uptime() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func firstLine(path string) string {
	b, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
