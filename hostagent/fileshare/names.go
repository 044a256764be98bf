package fileshare

import (
	"errors"

	"github.com/berthhq/berth/hostagent/fileshare/owner"
	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// entry tells of a name in a directory. A name that is missing is an entry without a node where the guest may remember
// that, which is where the directory is watched.
func (s *Server) entry(parent *node, dir tree.Ref, name string) (fusewire.Entry, *node, error) {
	s.guard(parent, dir)
	keep := unwatchedFor
	if parent.isWatched() {
		keep = watchedFor
	}
	st, err := dir.StatName(name)
	if errors.Is(err, fusewire.ENOENT) && keep == watchedFor {
		return fusewire.Entry{EntryValid: keep}, nil, nil
	}
	if err != nil {
		return fusewire.Entry{}, nil, err
	}
	n, err := s.nodes.found(parent, name, &st)
	if err != nil {
		return fusewire.Entry{}, nil, err
	}
	s.letGo(n) // if it was held: it has a name again
	if n.dir || st.Attr.Nlink > 1 {
		st, err = s.guarded(n, dir, name, st)
		if err != nil {
			s.nodes.forget(n.id, 1)
			return fusewire.Entry{}, nil, err
		}
	}
	s.show(n, &st, func(buf []byte) (int, error) { return dir.GetxattrName(name, owner.Attribute, buf) })
	return fusewire.Entry{
		Node: n.id, Generation: 1, EntryValid: keep, AttrFor: s.attrFor(n, st.Attr.Nlink), Attr: st.Attr,
	}, n, nil
}

// guarded watches what a directory's watch does not cover, and reads its state after that.
func (s *Server) guarded(n *node, dir tree.Ref, name string, st tree.Stat) (tree.Stat, error) {
	if s.watch == nil || n.isWatched() {
		return st, nil
	}
	ref, err := dir.Name(name)
	if err != nil {
		return st, err
	}
	defer ref.Close()
	if s.guard(n, ref) {
		if st, err = ref.Stat(); err == nil && st.ID != n.key {
			err = fusewire.ESTALE
		}
	}
	return st, err
}

// named pins the request's directory and reads the name after it.
func (s *Server) named(n *node, r *request) (tree.Ref, string, error) {
	name, err := readName(r)
	if err != nil {
		return tree.Ref{}, "", err
	}
	if !n.dir {
		return tree.Ref{}, "", fusewire.ENOTDIR
	}
	dir, err := s.dir(n)
	return dir, name, err
}

func readName(r *request) (string, error) {
	name := r.in.Text()
	switch {
	case len(name) > 255:
		return "", fusewire.ENAMETOOLONG
	case r.in.Bad || !fusewire.ValidName(name):
		return "", fusewire.EINVAL
	}
	return name, nil
}

func (s *Server) lookup(n *node, r *request) error {
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	return s.tell(n, dir, name, r)
}

// known is lookup of a name that the guest has looked up already.
func (s *Server) known(n *node, r *request) error {
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	if s.nodes.child(n, name) == nil {
		return fusewire.ENOENT
	}
	return s.tell(n, dir, name, r)
}

// tell answers with an entry.
func (s *Server) tell(n *node, dir tree.Ref, name string, r *request) error {
	e, _, err := s.entry(n, dir, name)
	if err == nil {
		r.out = e.Append(r.out)
	}
	return err
}

// made gives what was just made its owner and mode, and answers with its entry.
func (s *Server) made(n *node, dir tree.Ref, name string, mode uint32, r *request) error {
	ref, err := dir.Name(name)
	if err != nil {
		return err
	}
	defer ref.Close()
	if err := s.own(n, ref, mode, r.Header); err != nil {
		return err
	}
	e, _, err := s.entry(n, dir, name)
	if err == nil && e.Node == 0 {
		err = fusewire.ENOENT // gone already
	}
	if err == nil {
		r.out = e.Append(r.out)
	}
	return err
}

// own remembers who made a file, and makes up for the host's umask.
func (s *Server) own(parent *node, ref tree.Ref, mode uint32, h fusewire.Header) error {
	st, err := ref.Stat()
	if err != nil {
		return err
	}
	want := fusewire.Attr{UID: h.UID, GID: h.GID, Mode: st.Attr.Mode&fusewire.ModeType | mode&0o7777}
	isDir := st.Attr.Mode&fusewire.ModeType == fusewire.ModeDir
	parent.mu.Lock()
	if parent.setgid {
		want.GID = parent.gid
		if isDir {
			want.Mode |= 0o2000
		}
	}
	parent.mu.Unlock()
	perm := st.Attr.Mode & 0o777
	if st.Attr.Mode&fusewire.ModeType == fusewire.ModeSymlink {
		want.Mode = st.Attr.Mode
	} else if now := owner.Host(mode, isDir); now != perm {
		if err := ref.Chmod(now); err != nil {
			return err
		}
		perm = now
	}
	if want.UID == 0 && want.GID == 0 && want.Mode&0o7777 == perm {
		return nil
	}
	return s.owners.Set(ref, st.ID, want, perm)
}

func (s *Server) mknod(n *node, r *request) error {
	mode := r.in.U32()
	r.in.Skip(12)
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Mknod(name, mode&fusewire.ModeType|owner.Host(mode, false)); err != nil {
		return err
	}
	return s.made(n, dir, name, mode, r)
}

func (s *Server) mkdir(n *node, r *request) error {
	mode := r.in.U32()
	r.in.Skip(4)
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Mkdir(name, owner.Host(mode, true)); err != nil {
		return err
	}
	return s.made(n, dir, name, mode, r)
}

func (s *Server) symlink(n *node, r *request) error {
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	target := r.in.Text()
	if r.in.Bad || target == "" {
		return fusewire.EINVAL
	}
	if err := dir.Symlink(target, name); err != nil {
		return err
	}
	return s.made(n, dir, name, 0o777, r)
}

func (s *Server) readlink(n *node, r *request) error {
	ref, _, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	target, err := ref.Readlink()
	if err == nil {
		r.out = append(r.out, target...)
	}
	return err
}

func (s *Server) unlink(n *node, r *request) error { return s.remove(n, r, tree.Ref.Unlink) }

func (s *Server) rmdir(n *node, r *request) error { return s.remove(n, r, tree.Ref.Rmdir) }

func (s *Server) remove(n *node, r *request, how func(tree.Ref, string) error) error {
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	s.hold(n, dir, name)
	child := s.nodes.child(n, name)
	if err := how(dir, name); err != nil {
		s.letGo(child)
		return err
	}
	s.nodes.removed(n, name)
	return nil
}

// letGo ends a hold on what kept its name after all.
func (s *Server) letGo(n *node) {
	if n != nil {
		n.mu.Lock()
		s.unpin(n)
		n.mu.Unlock()
	}
}

func (s *Server) link(n *node, r *request) error {
	id := r.in.U64()
	dir, name, err := s.named(n, r)
	if err != nil {
		return err
	}
	defer dir.Close()
	old, err := s.nodes.get(id)
	if err != nil {
		return err
	}
	ref, _, err := s.ref(old)
	if err != nil {
		return err
	}
	defer ref.Close()
	if err := ref.Link(dir, name); err != nil {
		return err
	}
	return s.tell(n, dir, name, r)
}

func (s *Server) rename1(n *node, r *request) error {
	to := r.in.U64()
	return s.move(n, to, 0, r)
}

func (s *Server) rename2(n *node, r *request) error {
	to, flags := r.in.U64(), r.in.U32()
	r.in.Skip(4)
	return s.move(n, to, flags, r)
}

func (s *Server) move(n *node, toID uint64, flags uint32, r *request) error {
	name, err := readName(r)
	if err != nil {
		return err
	}
	toName, err := readName(r)
	if err != nil {
		return err
	}
	to, err := s.nodes.get(toID)
	if err != nil {
		return err
	}
	if !n.dir || !to.dir {
		return fusewire.ENOTDIR
	}
	s.rename.Lock()
	defer s.rename.Unlock()
	from, err := s.dirLocked(n)
	if err != nil {
		return err
	}
	defer from.Close()
	dir, err := s.dirLocked(to)
	if err != nil {
		return err
	}
	defer dir.Close()
	const exchange = 2
	var replaced *node
	if flags&exchange == 0 {
		replaced = s.nodes.child(to, toName)
		s.hold(to, dir, toName)
	}
	if err := from.Rename(name, dir, toName, flags); err != nil {
		s.letGo(replaced)
		return err
	}
	s.nodes.moved(n, name, to, toName, flags&exchange != 0)
	return nil
}
