package fileshare

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// Locks are the host's own, so that they hold between the guest's processes and the host's. flock's belongs to the open
// file of a handle. Of POSIX locks an owner in the guest has one open file for each node, on which its locks are.

const (
	lockUnlock   = 2
	lockWaitMin  = time.Millisecond
	lockWaitMax  = 20 * time.Millisecond
	lockGrace    = 8 * time.Millisecond
	maxLockFiles = 4096
)

func (s *Server) lockFlags() uint64 {
	if tree.Locks {
		return fusewire.InitPosixLocks | fusewire.InitFlock
	}
	return 0 // the guest's kernel keeps them by itself
}

type lockRequest struct {
	handle *handle
	owner  uint64
	rng    tree.Range
	flock  bool
}

func (s *Server) parseLock(n *node, in *fusewire.Reader) (l lockRequest, err error) {
	fh := in.U64()
	l.owner = in.U64()
	l.rng = tree.Range{Start: in.U64(), End: in.U64(), Kind: in.U32()}
	in.Skip(4)
	l.flock = in.U32()&fusewire.LockFlock != 0
	if in.Bad || l.rng.Kind > lockUnlock || l.rng.End < l.rng.Start || l.rng.End > 1<<63-1 {
		return l, fusewire.EINVAL
	}
	l.handle, err = s.handles.get(fh, n)
	return l, err
}

// lockFile is the open file that has an owner's locks of a node.
func (s *Server) lockFile(n *node, l lockRequest) (*tree.File, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f := n.locks[l.owner]; f != nil {
		return f, nil
	}
	if s.lockFiles.Add(1) > maxLockFiles {
		s.lockFiles.Add(-1)
		return nil, fusewire.ENOLCK
	}
	f, err := reopen(l.handle)
	if err != nil {
		s.lockFiles.Add(-1)
		return nil, err
	}
	if n.locks == nil {
		n.locks = map[uint64]*tree.File{}
	}
	n.locks[l.owner] = f
	l.handle.mu.Lock()
	if !slices.Contains(l.handle.owners, l.owner) {
		l.handle.owners = append(l.handle.owners, l.owner)
	}
	l.handle.mu.Unlock()
	return f, nil
}

func reopen(h *handle) (*tree.File, error) {
	ref, err := h.file.Ref()
	if err != nil {
		return nil, err
	}
	defer ref.Close()
	f, err := ref.Open(tree.ReadWrite)
	if err != nil {
		f, err = ref.Open(h.flags & tree.WriteOnly)
	}
	return f, err
}

// unlockOwner ends all locks that an owner has of a node.
func (s *Server) unlockOwner(n *node, lockOwner uint64) {
	n.mu.Lock()
	f := n.locks[lockOwner]
	delete(n.locks, lockOwner)
	n.mu.Unlock()
	if f != nil {
		s.lockFiles.Add(-1)
		_ = f.Close()
	}
}

// try sets or clears a lock without waiting; EAGAIN is that somebody else has it.
func (s *Server) try(n *node, l lockRequest) error {
	if l.flock {
		return l.handle.file.Flock(l.rng.Kind)
	}
	if l.rng.Kind == lockUnlock {
		n.mu.Lock()
		f := n.locks[l.owner]
		n.mu.Unlock()
		if f == nil {
			return nil
		}
		if l.rng.Start == 0 && l.rng.End == 1<<63-1 {
			s.unlockOwner(n, l.owner)
			return nil
		}
		return f.Lock(l.rng)
	}
	f, err := s.lockFile(n, l)
	if err != nil {
		return err
	}
	err = f.Lock(l.rng)
	if errors.Is(err, fusewire.EACCES) {
		err = fusewire.EAGAIN
	}
	return err
}

func (s *Server) setlk(n *node, r *request) error {
	l, err := s.parseLock(n, r.in)
	if err != nil {
		return err
	}
	// A close has given its lock back before it returned, but its RELEASE may come here after a later request.
	for pause := lockWaitMin; ; pause *= 2 {
		err := s.try(n, l)
		if !errors.Is(err, fusewire.EAGAIN) || pause > lockGrace {
			return err
		}
		time.Sleep(pause)
	}
}

// setlkw asks again and again: a call that waits would hold a thread for each waiter, and could not be interrupted.
func (s *Server) setlkw(n *node, r *request) error {
	l, err := s.parseLock(n, r.in)
	if err != nil {
		return err
	}
	wait := time.NewTimer(lockWaitMin)
	defer wait.Stop()
	for pause := lockWaitMin; ; pause = min(pause*2, lockWaitMax) {
		if err := s.try(n, l); !errors.Is(err, fusewire.EAGAIN) {
			return err
		}
		wait.Reset(pause)
		select {
		case <-wait.C:
		case <-r.cancel:
			return fusewire.EINTR
		case <-s.closing:
			return fusewire.EINTR
		}
	}
}

func (s *Server) getlk(n *node, r *request) error {
	l, err := s.parseLock(n, r.in)
	if err != nil {
		return err
	}
	n.mu.Lock()
	f := n.locks[l.owner]
	n.mu.Unlock()
	if f == nil {
		if f, err = reopen(l.handle); err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
	}
	got, err := f.Locked(l.rng)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	r.out = le.AppendUint64(r.out, got.Start)
	r.out = le.AppendUint64(r.out, got.End)
	r.out = le.AppendUint32(r.out, got.Kind)
	r.out = le.AppendUint32(r.out, 0) // whose process it is means nothing in the guest
	return nil
}
