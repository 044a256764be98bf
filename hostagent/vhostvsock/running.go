//go:build linux

package vhostvsock

import "errors"

// start begins to serve a ring: a goroutine waits for its kicks until stop.
func (f *frontend) start(i int, m *message) error {
	q := f.d.ring(i)
	kick := m.file()
	if kick == nil {
		return errors.New("a ring without kicks: polling is not offered")
	}
	q.mu.Lock()
	q.kick, q.done = kick, make(chan struct{})
	q.eventIdx, q.indirect = f.features&featEventIdx != 0, f.features&featIndirect != 0
	q.running = true
	done := q.done
	q.mu.Unlock()
	kicked := f.d.pump
	if i == txRing {
		kicked = f.d.transmitted
	}
	go func() {
		defer close(done)
		var b [8]byte
		for {
			kicked()
			if _, err := kick.Read(b[:]); err != nil {
				return
			}
		}
	}()
	return nil
}

// enable stops a ring for a while. A ring serves without being told, since QEMU before 7.2 never says it for vsock.
func (f *frontend) enable(i int, on bool) error {
	q := f.d.ring(i)
	q.mu.Lock()
	q.running = on && q.kick != nil
	kick := q.kick
	if q.running {
		signal(kick)
	}
	q.mu.Unlock()
	return nil
}

// stop ends the serving of a ring; streams stay, for the ring may be started again after a pause.
func (f *frontend) stop(i int) {
	q := f.d.ring(i)
	q.mu.Lock()
	q.running = false
	kick, done := q.kick, q.done
	q.kick = nil
	q.mu.Unlock()
	if kick == nil {
		return
	}
	kick.Close()
	<-done
}
