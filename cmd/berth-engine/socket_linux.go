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

// listenUnix opens a socket. One that an engine before left is replaced: the lock of the state directory says that no
// other engine serves it.
func listenUnix(path, group string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, errdefs.System("opening the API socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, errdefs.System("opening the API socket: %w", err)
	}
	old := unix.Umask(0o777 &^ socketMode)
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, errdefs.System("opening the API socket: %w", err)
	}
	if gid := groupID(group); gid >= 0 {
		if err := os.Chown(path, 0, gid); err != nil {
			l.Close()
			return nil, errdefs.System("giving %s to the group: %w", path, err)
		}
	}
	return l, nil
}

// groupID finds the group that may use the socket: the configured one, else berth or docker where they exist.
func groupID(name string) int {
	names := []string{name}
	if name == "" {
		names = []string{"berth", "docker"}
	}
	for _, n := range names {
		if g, err := user.LookupGroup(n); err == nil {
			if id, err := strconv.Atoi(g.Gid); err == nil {
				return id
			}
		}
	}
	return -1
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
