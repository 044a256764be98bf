package fileshare

import (
	"encoding/binary"
	"errors"

	"github.com/berthhq/berth/hostagent/fileshare/owner"
	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// open opens a regular file, and makes the guest's kernel forget what it knows of one that others have changed.
func (s *Server) open(n *node, r *request) error {
	flags, extra := r.in.U32(), r.in.U32()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	if s.opt.ReadOnly && tree.Writes(flags) {
		return fusewire.EROFS
	}
	ref, st, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	keep := s.revalidate(n, &st)
	f, err := ref.Open(flags)
	if err != nil {
		return err
	}
	if flags&tree.Truncate != 0 {
		if extra&fusewire.OpenKillPriv != 0 {
			s.dropPrivileges(n, f)
		}
		if st, err := f.Stat(); err == nil {
			s.wrote(n, &st)
		}
	}
	h, err := s.handles.add(n, f, flags)
	if err != nil {
		return err
	}
	s.journal.note("open %d %d %d", h.id, n.id, flags)
	out := uint32(0)
	if keep {
		out |= fusewire.OpenKeepCache
	}
	if flags&(tree.WriteOnly|tree.ReadWrite) == 0 {
		out |= fusewire.OpenNoFlush // nothing to write back; locks are given back with the handle
	}
	r.out = fusewire.AppendOpen(r.out, h.id, out)
	return nil
}

// revalidate says whether what the guest has cached of a file's data is still right. Attributes that it has and that are
// out of date are taken from it before it gets the answer.
func (s *Server) revalidate(n *node, st *tree.Stat) (keep bool) {
	now := versionOf(&st.Attr)
	n.mu.Lock()
	keep = n.cached.sameData(now)
	stale := n.told != now
	n.cached, n.told = now, now // it has them, or will ask
	n.mu.Unlock()
	if stale {
		s.notices.invalidateAndWait(n)
	}
	return keep
}

// wrote records a state of a file that came of the guest's own doing: its cache is right.
func (s *Server) wrote(n *node, st *tree.Stat) {
	n.mu.Lock()
	n.cached = versionOf(&st.Attr)
	n.told = n.cached
	n.mu.Unlock()
}

func (s *Server) create(n *node, r *request) error {
	flags, mode := r.in.U32(), r.in.U32()
	r.in.Skip(8)
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := dir.Create(name, flags, owner.Host(mode, false))
	fresh := err == nil
	if errors.Is(err, fusewire.EEXIST) && flags&tree.Exclusive == 0 {
		f, err = openName(dir, name, flags)
	}
	if err != nil {
		return err
	}
	if fresh {
		if err := s.ownFile(n, f, mode, r.Header); err != nil {
			_ = f.Close()
			return err
		}
	}
	e, made, err := s.entry(n, dir, name)
	if err == nil && made == nil {
		err = fusewire.ENOENT
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	return s.opened(made, f, flags, &e, r)
}

func openName(dir tree.Ref, name string, flags uint32) (*tree.File, error) {
	ref, err := dir.Name(name)
	if err != nil {
		return nil, err
	}
	defer ref.Close()
	return ref.Open(flags)
}

func (s *Server) ownFile(parent *node, f *tree.File, mode uint32, h fusewire.Header) error {
	ref, err := f.Ref()
	if err != nil {
		return err
	}
	defer ref.Close()
	return s.own(parent, ref, mode, h)
}

// opened answers CREATE and TMPFILE: an entry and a handle.
func (s *Server) opened(n *node, f *tree.File, flags uint32, e *fusewire.Entry, r *request) error {
	h, err := s.handles.add(n, f, flags)
	if err != nil {
		s.nodes.forget(n.id, 1)
		return err
	}
	s.journal.note("open %d %d %d", h.id, n.id, flags)
	if st, err := f.Stat(); err == nil {
		n.mu.Lock()
		n.cached = versionOf(&st.Attr)
		n.mu.Unlock()
	}
	r.out = e.Append(r.out)
	r.out = fusewire.AppendOpen(r.out, h.id, fusewire.OpenKeepCache)
	return nil
}

func (s *Server) tmpfile(n *node, r *request) error {
	flags, mode := r.in.U32(), r.in.U32()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	dir, err := s.dir(n)
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := dir.Tmpfile(flags, owner.Host(mode, false))
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil {
		err = s.ownFile(n, f, mode, r.Header)
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	made, err := s.nodes.nameless(&st)
	if err != nil {
		_ = f.Close()
		return err
	}
	ref, err := f.Ref()
	if err == nil {
		s.show(made, &st, attributeOf(ref))
		ref.Close()
	}
	return s.opened(made, f, flags, &fusewire.Entry{Node: made.id, Generation: 1, Attr: st.Attr}, r)
}

func (s *Server) read(n *node, r *request) error {
	fh, at, size := r.in.U64(), r.in.U64(), r.in.U32()
	if r.in.Bad || size > fusewire.MaxData || at > 1<<63-1 {
		return fusewire.EINVAL
	}
	h, err := s.handles.get(fh, n)
	if err != nil {
		return err
	}
	start := len(r.out)
	got, err := h.file.ReadAt(r.out[start:start+int(size)], int64(at))
	r.out = r.out[:start+got]
	return err
}

func (s *Server) write(n *node, r *request) error {
	fh, at, size, flags := r.in.U64(), r.in.U64(), r.in.U32(), r.in.U32()
	r.in.Skip(16)
	data := r.in.Rest()
	if r.in.Bad || int(size) != len(data) || at > 1<<63-1-uint64(size) {
		return fusewire.EINVAL
	}
	h, err := s.handles.get(fh, n)
	if err != nil {
		return err
	}
	if flags&fusewire.WriteKillPriv != 0 {
		s.dropPrivileges(n, h.file)
	}
	done, err := h.file.WriteAt(data, int64(at))
	if err != nil {
		return err
	}
	if st, err := h.file.Stat(); err == nil {
		s.wrote(n, &st)
	}
	r.out = binary.LittleEndian.AppendUint32(r.out, uint32(done))
	r.out = binary.LittleEndian.AppendUint32(r.out, 0)
	return nil
}

// dropPrivileges takes remembered setuid and setgid bits away, as a write by somebody who is not root does.
func (s *Server) dropPrivileges(n *node, f *tree.File) {
	n.mu.Lock()
	suid := n.suid
	n.suid = false
	n.mu.Unlock()
	if !suid {
		return
	}
	ref, err := f.Ref()
	if err != nil {
		return
	}
	defer ref.Close()
	if st, err := ref.Stat(); err == nil {
		shown := st
		s.owners.Show(&shown, attributeOf(ref))
		_ = s.setOwner(n, ref, &st, &shown, &change{valid: fusewire.SetKillPriv})
	}
}

// flush comes with each close: the closing process' locks end.
func (s *Server) flush(n *node, r *request) error {
	fh := r.in.U64()
	r.in.Skip(8)
	lockOwner := r.in.U64()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	if _, err := s.handles.get(fh, n); err != nil {
		return err
	}
	s.unlockOwner(n, lockOwner)
	return nil
}

func (s *Server) release(n *node, r *request) error {
	fh := r.in.U64()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	h := s.handles.remove(fh, n)
	if h == nil {
		return fusewire.EBADF
	}
	s.journal.note("shut %d", fh)
	h.mu.Lock()
	for _, o := range h.owners {
		s.unlockOwner(n, o)
	}
	h.mu.Unlock()
	return h.file.Close()
}

func (s *Server) fsync(n *node, r *request) error {
	fh, flags := r.in.U64(), r.in.U32()
	h, err := s.handles.get(fh, n)
	if err != nil {
		return err
	}
	return h.file.Sync(flags&fusewire.FsyncDataOnly != 0)
}

func (s *Server) lseek(n *node, r *request) error {
	fh, offset, whence := r.in.U64(), r.in.U64(), r.in.U32()
	h, err := s.handles.get(fh, n)
	if err != nil {
		return err
	}
	at, err := h.file.Find(int64(offset), whence)
	if err == nil {
		r.out = binary.LittleEndian.AppendUint64(r.out, uint64(at))
	}
	return err
}

func (s *Server) fallocate(n *node, r *request) error {
	fh, offset, length, mode := r.in.U64(), r.in.U64(), r.in.U64(), r.in.U32()
	h, err := s.handles.get(fh, n)
	if err != nil {
		return err
	}
	if r.in.Bad || offset > 1<<63-1 || length > 1<<63-1 {
		return fusewire.EINVAL
	}
	if err := h.file.Allocate(mode, int64(offset), int64(length)); err != nil {
		return err
	}
	if st, err := h.file.Stat(); err == nil {
		s.wrote(n, &st)
	}
	return nil
}

func (s *Server) copyFileRange(n *node, r *request) error {
	fh, at, toID, toFH := r.in.U64(), r.in.U64(), r.in.U64(), r.in.U64()
	toAt, length := r.in.U64(), r.in.U64()
	if r.in.Bad || at > 1<<62 || toAt > 1<<62 {
		return fusewire.EINVAL
	}
	from, err := s.handles.get(fh, n)
	if err != nil {
		return err
	}
	toNode, err := s.nodes.get(toID)
	if err != nil {
		return err
	}
	to, err := s.handles.get(toFH, toNode)
	if err != nil {
		return err
	}
	done, err := from.file.Copy(int64(at), to.file, int64(toAt), int(min(length, 64<<20)))
	if err != nil {
		return err
	}
	if st, err := to.file.Stat(); err == nil {
		s.wrote(toNode, &st)
	}
	r.out = binary.LittleEndian.AppendUint32(r.out, uint32(done))
	r.out = binary.LittleEndian.AppendUint32(r.out, 0)
	return nil
}
