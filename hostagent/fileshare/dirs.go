package fileshare

import (
	"errors"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// entrySize is struct fuse_entry_out, which stands before each entry of READDIRPLUS.
const entrySize = 128

func (s *Server) readdir(n *node, r *request) error { return s.list(n, r, false) }

func (s *Server) readdirplus(n *node, r *request) error { return s.list(n, r, true) }

// list answers from the position asked for as much as there is room for. Nothing is kept between two answers: a position
// is the host's own.
func (s *Server) list(n *node, r *request, plus bool) error {
	r.in.Skip(8)
	from, size := r.in.U64(), r.in.U32()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	if !n.dir {
		return fusewire.ENOTDIR
	}
	dir, err := s.dir(n)
	if err != nil {
		return err
	}
	defer dir.Close()
	s.guard(n, dir)
	s.loose.read(n, s.notices.invalidate)
	room := len(r.out) + int(min(size, fusewire.MaxData))
	return dir.ReadDir(from, func(e tree.Entry) bool {
		need := fusewire.DirentSize(e.Name)
		if plus {
			need += entrySize
		}
		if len(r.out)+need > room {
			return false
		}
		if plus {
			entry := s.listed(n, dir, e.Name)
			r.out = entry.Append(r.out)
		}
		d := fusewire.Dirent{Ino: e.Ino, Next: e.Next, Type: e.Type, Name: e.Name}
		r.out = d.Append(r.out)
		return true
	})
}

// listed is the entry of a name that was read; without a node the kernel looks it up when it is asked for.
func (s *Server) listed(n *node, dir tree.Ref, name string) fusewire.Entry {
	if name == "." || name == ".." {
		return fusewire.Entry{}
	}
	e, made, err := s.entry(n, dir, name)
	if err != nil || made == nil {
		return fusewire.Entry{}
	}
	return e
}

// opendir is answered where nothing is watched: then the kernel must not keep what it reads.
func (s *Server) opendir(n *node, r *request) error {
	if r.Op == fusewire.OpOpendir {
		if !n.dir {
			return fusewire.ENOTDIR
		}
		r.out = fusewire.AppendOpen(r.out, 0, 0)
	}
	return nil
}

func (s *Server) fsyncdir(n *node, r *request) error {
	if !n.dir {
		return fusewire.ENOTDIR
	}
	dir, err := s.dir(n)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); !errors.Is(err, fusewire.EOPNOTSUPP) {
		return err
	}
	return nil
}
