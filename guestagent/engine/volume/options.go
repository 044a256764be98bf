//go:build linux

package volume

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// Options of the local driver: what is mounted for a volume, in mount(8)'s words.
const (
	optType   = "type"
	optDevice = "device"
	optOpts   = "o"
)

func checkOptions(opts map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(opts)) {
		if k != optType && k != optDevice && k != optOpts {
			return errdefs.Invalid("invalid option: %q", k)
		}
	}
	if len(opts) == 0 {
		return nil
	}
	// As docker: a mount needs a device and a type; a bind does without the latter.
	for _, k := range []string{optDevice, optType} {
		if opts[k] == "" && !(k == optType && slices.Contains(strings.Split(opts[optOpts], ","), "bind")) {
			return errdefs.Invalid("missing required option: %q", k)
		}
	}
	return nil
}

// flagOf are the options of mount(8) that are flags of mount(2).
func flagOf(o string) (set, clear uintptr, ok bool) {
	flags := map[string]uintptr{
		"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "sync": unix.MS_SYNCHRONOUS,
		"dirsync": unix.MS_DIRSYNC, "remount": unix.MS_REMOUNT, "mand": unix.MS_MANDLOCK, "noatime": unix.MS_NOATIME,
		"nodiratime": unix.MS_NODIRATIME, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "relatime": unix.MS_RELATIME,
		"strictatime": unix.MS_STRICTATIME, "private": unix.MS_PRIVATE, "shared": unix.MS_SHARED, "slave": unix.MS_SLAVE,
	}
	if f, ok := flags[o]; ok {
		return f, 0, true
	}
	for _, pair := range [][2]string{{"rw", "ro"}, {"suid", "nosuid"}, {"dev", "nodev"}, {"exec", "noexec"}, {"async", "sync"}, {"atime", "noatime"}} {
		if o == pair[0] {
			return 0, flags[pair[1]], true
		}
	}
	return 0, 0, o == "defaults"
}

// mountOptions splits options into flags and what the file system itself reads. The address of an NFS server is looked
// up here, since the kernel does not know names.
func mountOptions(kind, opts string) (flags uintptr, data string, err error) {
	var rest []string
	for _, o := range strings.Split(opts, ",") {
		if o == "" {
			continue
		}
		if set, clear, ok := flagOf(o); ok {
			flags = flags&^clear | set
			continue
		}
		if host, ok := strings.CutPrefix(o, "addr="); ok && strings.HasPrefix(kind, "nfs") && net.ParseIP(host) == nil {
			addrs, err := net.LookupHost(host)
			if err != nil {
				return 0, "", fmt.Errorf("error resolving passed in network volume address: %w", err)
			}
			o = "addr=" + addrs[0]
		}
		rest = append(rest, o)
	}
	return flags, strings.Join(rest, ","), nil
}
