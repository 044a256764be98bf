package fileshare

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/berthhq/berth/hostagent/fileshare/owner"
	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// ref pins a node's file: what its path leads to, if that is still the same file, else what is open of it.
func (s *Server) ref(n *node) (tree.Ref, tree.Stat, error) {
	s.rename.RLock()
	ref, err := s.dirLocked(n)
	s.rename.RUnlock()
	if err == nil {
		st, err := ref.Stat()
		if err == nil && st.ID == n.key {
			return ref, st, nil
		}
		ref.Close()
	}
	n.mu.Lock()
	if n.pin != nil {
		defer n.mu.Unlock()
		return s.pinned(n)
	}
	handles := append([]*handle(nil), n.handles...)
	n.mu.Unlock()
	for _, h := range handles {
		ref, err := h.file.Ref()
		if err != nil {
			continue
		}
		if st, err := ref.Stat(); err == nil {
			return ref, st, nil
		}
		ref.Close()
	}
	return tree.Ref{}, tree.Stat{}, fusewire.ESTALE
}

// hold keeps a file reachable whose name the guest is about to remove: it may have it open, or as a directory to be in.
func (s *Server) hold(parent *node, dir tree.Ref, name string) {
	n := s.nodes.child(parent, name)
	if n == nil || s.pins.Load() >= maxPins {
		return
	}
	ref, err := dir.Name(name)
	if err != nil {
		return
	}
	st, err := ref.Stat()
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil || st.ID != n.key || n.pin != nil {
		ref.Close()
		return
	}
	n.pin = &ref
	s.pins.Add(1)
}

func (s *Server) pinned(n *node) (tree.Ref, tree.Stat, error) {
	ref, err := n.pin.Again()
	if err != nil {
		return ref, tree.Stat{}, err
	}
	st, err := ref.Stat()
	if err != nil {
		ref.Close()
	}
	return ref, st, err
}

// unpin lets go of what hold keeps; n.mu is held.
func (s *Server) unpin(n *node) {
	if n.pin != nil {
		n.pin.Close()
		n.pin = nil
		s.pins.Add(-1)
	}
}

// dir pins a directory in which a name is looked at or changed.
func (s *Server) dir(n *node) (tree.Ref, error) {
	s.rename.RLock()
	ref, err := s.dirLocked(n)
	s.rename.RUnlock()
	if errors.Is(err, fusewire.ESTALE) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.pin != nil {
			return n.pin.Again()
		}
	}
	return ref, err
}

func (s *Server) dirLocked(n *node) (tree.Ref, error) {
	path, err := s.nodes.path(n)
	if err != nil {
		return tree.Ref{}, err
	}
	ref, err := s.tree.Ref(path)
	if errors.Is(err, fusewire.ENOENT) || errors.Is(err, fusewire.ENOTDIR) {
		err = fusewire.ESTALE // the guest's kernel then looks every part of the path up again
	}
	return ref, err
}

// show makes what the host says what the guest is to see, and records that it was told.
func (s *Server) show(n *node, st *tree.Stat, attribute func([]byte) (int, error)) {
	v := versionOf(&st.Attr)
	s.owners.Show(st, attribute)
	n.mu.Lock()
	n.told = v
	n.suid, n.setgid = st.Attr.Mode&0o6000 != 0, n.dir && st.Attr.Mode&0o2000 != 0
	n.gid = st.Attr.GID
	n.mu.Unlock()
}

func attributeOf(ref tree.Ref) func([]byte) (int, error) {
	return func(buf []byte) (int, error) { return ref.Getxattr(owner.Attribute, buf) }
}

// attrFor is how long the attributes of a node may be kept.
func (s *Server) attrFor(n *node, nlink uint32) time.Duration {
	guard := n
	if !n.dir && nlink <= 1 {
		guard, _ = s.nodes.place(n)
	}
	if guard == nil || !guard.isWatched() {
		return unwatchedFor
	}
	return watchedFor
}

func (n *node) isWatched() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.watched
}

// guard watches a file whose changes its directory's watch does not show, and says whether it is watched now and was not
// before: then what was read of it must be read again.
func (s *Server) guard(n *node, ref tree.Ref) (now bool) {
	if s.watch == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watched || n.unwatchable {
		return false
	}
	if err := s.watch.Add(ref.Proc(), n.id, n.dir); err != nil {
		n.unwatchable = true
		s.loose.add(n)
		return false
	}
	n.watched = true
	return true
}

func (s *Server) getattr(n *node, r *request) error {
	flags := r.in.U32()
	r.in.Skip(4)
	fh := r.in.U64()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	var ref tree.Ref
	var st tree.Stat
	err := error(fusewire.EBADF)
	if flags&fusewire.GetattrFH != 0 {
		if h, herr := s.handles.get(fh, n); herr == nil {
			if ref, err = h.file.Ref(); err == nil {
				st, err = ref.Stat()
			}
		}
	}
	if err != nil {
		ref, st, err = s.ref(n)
	}
	if err != nil {
		return err
	}
	defer ref.Close()
	if (n.dir || st.Attr.Nlink > 1) && s.guard(n, ref) {
		if st, err = ref.Stat(); err != nil {
			return err
		}
	}
	s.show(n, &st, attributeOf(ref))
	r.out = fusewire.AppendAttr(r.out, &st.Attr, s.attrFor(n, st.Attr.Nlink))
	return nil
}

// change is SETATTR taken apart.
type change struct {
	valid          uint32
	fh, size       uint64
	atime, mtime   fusewire.Time
	mode, uid, gid uint32
}

func parseChange(in *fusewire.Reader) (c change) {
	c.valid = in.U32()
	in.Skip(4)
	c.fh, c.size = in.U64(), in.U64()
	in.Skip(8)
	at, mt := in.U64(), in.U64()
	in.Skip(8)
	c.atime = fusewire.Time{Sec: int64(at), Nsec: in.U32()}
	c.mtime = fusewire.Time{Sec: int64(mt), Nsec: in.U32()}
	in.Skip(4)
	c.mode = in.U32()
	in.Skip(4)
	c.uid, c.gid = in.U32(), in.U32()
	return c
}

func (s *Server) setattr(n *node, r *request) error {
	c := parseChange(r.in)
	if r.in.Bad {
		return fusewire.EINVAL
	}
	ref, st, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	shown := st
	s.owners.Show(&shown, attributeOf(ref))
	if err := allowed(r.Header, &c, &shown.Attr); err != nil {
		return err
	}
	if c.valid&fusewire.SetSize != 0 {
		if err := s.resize(n, ref, &c); err != nil {
			return err
		}
	}
	if err := s.setOwner(n, ref, &st, &shown, &c); err != nil {
		return err
	}
	if err := setTimes(ref, &c); err != nil {
		return err
	}
	after, err := ref.Stat()
	if err != nil {
		return err
	}
	s.show(n, &after, attributeOf(ref))
	if c.valid&fusewire.SetSize != 0 {
		s.wrote(n, &after)
	} else if c.valid&(fusewire.SetMtime|fusewire.SetMtimeNow) != 0 {
		n.mu.Lock()
		if n.cached.sameData(versionOf(&st.Attr)) {
			n.cached = versionOf(&after.Attr)
		}
		n.mu.Unlock()
	}
	r.out = fusewire.AppendAttr(r.out, &after.Attr, s.attrFor(n, after.Attr.Nlink))
	return nil
}

// allowed says who may give a file another owner or mode: root everything, others what they own. What no container has
// set an owner for belongs to whoever asks, as far as its mode goes.
func allowed(h fusewire.Header, c *change, shown *fusewire.Attr) error {
	if h.UID == 0 {
		return nil
	}
	if c.valid&fusewire.SetUID != 0 && c.uid != shown.UID {
		return fusewire.EPERM
	}
	if c.valid&fusewire.SetGID != 0 && c.gid != shown.GID && h.UID != shown.UID {
		return fusewire.EPERM
	}
	if c.valid&fusewire.SetMode != 0 && h.UID != shown.UID && (shown.UID != 0 || c.mode&0o6000 != 0) {
		return fusewire.EPERM
	}
	return nil
}

func (s *Server) resize(n *node, ref tree.Ref, c *change) error {
	if c.size > 1<<63-1 {
		return fusewire.EFBIG
	}
	if c.valid&fusewire.SetFH != 0 {
		if h, err := s.handles.get(c.fh, n); err == nil {
			return h.file.Truncate(int64(c.size))
		}
	}
	return ref.Truncate(int64(c.size))
}

// setOwner sets the host's permissions and remembers the rest.
func (s *Server) setOwner(n *node, ref tree.Ref, host, shown *tree.Stat, c *change) error {
	want := shown.Attr
	if c.valid&fusewire.SetMode != 0 {
		want.Mode = want.Mode&fusewire.ModeType | c.mode&0o7777
	}
	if c.valid&fusewire.SetUID != 0 {
		want.UID = c.uid
	}
	if c.valid&fusewire.SetGID != 0 {
		want.GID = c.gid
	}
	if c.valid&fusewire.SetKillPriv != 0 && !n.dir {
		want.Mode = withoutPrivileges(want.Mode)
	}
	if want.Mode == shown.Attr.Mode && want.UID == shown.Attr.UID && want.GID == shown.Attr.GID {
		return nil
	}
	perm := host.Attr.Mode & 0o777
	if want.Mode != shown.Attr.Mode {
		if now := owner.Host(want.Mode, n.dir); now != perm {
			if err := ref.Chmod(now); err != nil {
				return err
			}
			perm = now
		}
	}
	return s.owners.Set(ref, n.key, want, perm)
}

// withoutPrivileges is the mode after a write by somebody who is not root.
func withoutPrivileges(mode uint32) uint32 {
	mode &^= 0o4000
	if mode&0o010 != 0 {
		mode &^= 0o2000
	}
	return mode
}

func setTimes(ref tree.Ref, c *change) error {
	t := tree.Times{AtimeNow: c.valid&fusewire.SetAtimeNow != 0, MtimeNow: c.valid&fusewire.SetMtimeNow != 0}
	if c.valid&fusewire.SetAtime != 0 {
		t.Atime = &c.atime
	}
	if c.valid&fusewire.SetMtime != 0 {
		t.Mtime = &c.mtime
	}
	if t == (tree.Times{}) {
		return nil
	}
	return ref.SetTimes(t)
}

func (s *Server) access(n *node, r *request) error {
	mask := r.in.U32()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	if s.opt.ReadOnly && mask&2 != 0 {
		return fusewire.EROFS
	}
	ref, st, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	if !n.dir {
		s.owners.Show(&st, attributeOf(ref))
		if mask&1 != 0 && st.Attr.Mode&0o111 == 0 {
			return fusewire.EACCES
		}
		mask &^= 1
	}
	if mask == 0 {
		return nil
	}
	return ref.Access(mask)
}

func (s *Server) statfs(n *node, r *request) error {
	ref, _, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	sp, err := ref.Statfs()
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	for _, v := range [...]uint64{sp.Blocks, sp.Free, sp.Avail, sp.Files, sp.FilesFree} {
		r.out = le.AppendUint64(r.out, v)
	}
	for _, v := range [...]uint32{sp.BlockSize, sp.NameLen, sp.BlockSize, 0, 0, 0, 0, 0, 0, 0} {
		r.out = le.AppendUint32(r.out, v)
	}
	return nil
}
