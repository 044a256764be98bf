package sharerelay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"

	"github.com/berthhq/berth/internal/fusewire"
)

// Stream is a connection that the host opened.
type Stream = io.ReadWriteCloser

// Relay holds the mounts of all shares below one directory.
type Relay struct {
	root string

	mu     sync.Mutex
	mounts map[string]*mount
}

// New makes a relay that mounts below root.
func New(root string) *Relay { return &Relay{root: root, mounts: map[string]*mount{}} }

// Serve serves a stream until it ends, and closes it.
func (r *Relay) Serve(s Stream) error {
	defer func() { _ = s.Close() }()
	var h fusewire.Hello
	if err := fusewire.ReadJSON(s, &h); err != nil {
		return fmt.Errorf("file stream: %w", err)
	}
	m, err := r.mount(h)
	w := fusewire.Welcome{Version: fusewire.Version}
	if err != nil {
		w.Error = err.Error()
	}
	if werr := fusewire.WriteJSON(s, w); err != nil || werr != nil {
		return errors.Join(err, werr)
	}
	if h.Role == fusewire.RoleNotify {
		return r.notified(h.Share, m, s)
	}
	return m.work(s)
}

// mount finds or makes the mount that a stream is for.
func (r *Relay) mount(h fusewire.Hello) (*mount, error) {
	switch {
	case h.Version != fusewire.Version:
		return nil, fmt.Errorf("the host speaks version %d of the file protocol, this guest %d: update the older one", h.Version, fusewire.Version)
	case !fusewire.ValidName(h.Share):
		return nil, fmt.Errorf("share %q: not a name", h.Share)
	case h.Role != fusewire.RoleWorker && h.Role != fusewire.RoleNotify:
		return nil, fmt.Errorf("share %s: a stream for %q is not known", h.Share, h.Role)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.mounts[h.Share]
	if m != nil && (m.ended() || m.session != h.Session && m.idle()) {
		m.close()
		m = nil
	}
	if m == nil {
		var err error
		if m, err = newMount(filepath.Join(r.root, h.Share), h.File); err != nil {
			return nil, fmt.Errorf("share %s: %w", h.Share, err)
		}
		m.session = h.Session
		r.mounts[h.Share] = m
	}
	if m.session != h.Session {
		return nil, fmt.Errorf("share %s: mounted for another server", h.Share)
	}
	return m, nil
}

// notified serves a notify stream; at the end that the host says, the share is unmounted.
func (r *Relay) notified(share string, m *mount, s Stream) error {
	end, err := m.notifications(s)
	if end {
		r.Unmount(share)
	}
	return err
}

// ServeAll serves every stream that comes on l until it is closed.
func (r *Relay) ServeAll(l net.Listener, report func(error)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := r.Serve(c); err != nil {
				report(err)
			}
		}()
	}
}

// Unmount ends a share.
func (r *Relay) Unmount(share string) {
	r.mu.Lock()
	m := r.mounts[share]
	delete(r.mounts, share)
	r.mu.Unlock()
	if m != nil {
		m.close()
	}
}

// Close ends all shares.
func (r *Relay) Close() {
	r.mu.Lock()
	names := make([]string, 0, len(r.mounts))
	for n := range r.mounts {
		names = append(names, n)
	}
	r.mu.Unlock()
	for _, n := range names {
		r.Unmount(n)
	}
}
