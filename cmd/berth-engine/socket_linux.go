package main

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// socketMode lets root and the socket's group talk to the engine, nobody else: who can is root.
const socketMode = 0o660

// listenUnix opens a socket for root and the group. One that an engine before left is replaced: the lock of the state directory says that no
// other engine serves it.
func listenUnix(path, group string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, errdefs.System("opening the API socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, errdefs.System("opening the API socket: %w", err)
	}
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	old := unix.Umask(0o777 &^ socketMode)
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, errdefs.System("opening the API socket: %w", err)
	}
	if gid >= 0 {
		if err := os.Chown(path, 0, gid); err != nil {
			l.Close()
			return nil, errdefs.System("giving %s to the group: %w", path, err)
		}
	}
	return l, nil
}

// groupID finds the group that may use the socket: the configured one, by name or number, else berth or docker where
// they exist; -1 where there is none.
func groupID(name string) (int, error) {
	if name != "" {
		g, err := user.LookupGroup(name)
		if err != nil {
			if g, err = user.LookupGroupId(name); err != nil {
				return -1, errdefs.Invalid("group %s not found", name).WithHint("Make it with: groupadd %s", name)
			}
		}
		return strconv.Atoi(g.Gid)
	}
	for _, n := range []string{"berth", "docker"} {
		if g, err := user.LookupGroup(n); err == nil {
			return strconv.Atoi(g.Gid)
		}
	}
	return -1, nil
}

// dockerSocket offers the engine where docker's clients look, unless a docker is there. A socket that nobody answers
// at is left by one that is gone.
func dockerSocket(group string) net.Listener {
	if c, err := net.Dial("unix", paths.DockerSocket); err == nil {
		c.Close()
		return nil
	}
	for _, docker := range []string{"/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"} {
		if _, err := os.Stat(docker); err == nil {
			return nil // it may start later
		}
	}
	l, err := listenUnix(paths.DockerSocket, group)
	if err != nil {
		return nil
	}
	return l
}
