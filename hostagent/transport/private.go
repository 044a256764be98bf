//go:build linux || darwin

package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// ListenPrivate listens on a unix socket that only this user may use: its directory must be nobody else's, its mode is
// 0600, and each connection's peer is asked who it is. A socket that is left from before is replaced: the caller holds
// a lock that says nobody serves it.
func ListenPrivate(path string) (net.Listener, error) {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if !owned(dir) || dir.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("socket %s: its directory is open to others", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l, err := bind(path)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return &private{UnixListener: l}, nil
}

// private is a listener that turns other users away.
type private struct{ *net.UnixListener }

// Accept returns the next connection of this user.
func (p *private) Accept() (net.Conn, error) {
	for {
		c, err := p.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if ours(c) == nil {
			return c, nil
		}
		c.Close()
	}
}

// DialPrivate connects to such a socket, and to nothing that another user serves.
func DialPrivate(path string) (*net.UnixConn, error) {
	c, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err := ours(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return c, nil
}

// ours says whether the peer is this user.
func ours(c *net.UnixConn) error {
	uid, err := peer(c)
	if err != nil {
		return err
	}
	if uid != os.Geteuid() {
		return fmt.Errorf("its other end belongs to user %d", uid)
	}
	return nil
}
