package fileshare

import (
	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/hostagent/fileshare/watch"
	"github.com/berthhq/berth/internal/fusewire"
)

// changed tells the guest of what others did on the host: first what its kernel must forget, then the event that its
// programs are to see.
func (s *Server) changed(changes []watch.Change, lost bool) {
	if lost {
		s.notices.dropAll()
	}
	for _, c := range changes {
		s.change(c)
	}
}

func (s *Server) change(c watch.Change) {
	if c.Kind == fusewire.EventMove {
		s.changeMove(c)
		return
	}
	dir, err := s.nodes.get(c.Dir)
	if err != nil {
		return
	}
	if c.Name == "" {
		s.notices.invalidate(dir)
		return
	}
	child := s.nodes.child(dir, c.Name)
	if c.Kind == fusewire.EventCreate || c.Kind == fusewire.EventDelete {
		s.reconcile(dir, c.Name)
	}
	e := fusewire.Event{Kind: c.Kind, Mode: fusewire.ModeRegular | 0o600, Parent: dir.id, Name: c.Name}
	if c.IsDir {
		e.Mode = fusewire.ModeDir | 0o700
	}
	if child != nil {
		e.Node, e.Mode = child.id, child.typ|0o600
		if c.Kind == fusewire.EventDelete || !s.upToDate(child) {
			s.notices.invalidate(child)
		}
	}
	switch c.Kind {
	case fusewire.EventCreate:
		s.forgetName(dir, c.Name)
		s.describe(&e, dir)
		e.Node = 0 // the name is new
	case fusewire.EventDelete:
		s.forgetName(dir, c.Name)
	}
	s.event(&e, dir)
}

// upToDate says that the guest has learnt of a change before its event came, as by an open. To invalidate once more would
// make its kernel ignore what it is asking for at that moment, and read by the old size. It is certain only where two
// changes never have the same time.
func (s *Server) upToDate(n *node) bool {
	if !s.fineTimes {
		return false
	}
	ref, st, err := s.ref(n)
	if err != nil {
		return false
	}
	ref.Close()
	now := versionOf(&st.Attr)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told == now && n.cached.sameData(now)
}

// reconcile takes a name from a node that the host does not have under it any more. A change may be told of after the guest
// has found what came after it.
func (s *Server) reconcile(dir *node, name string) {
	child := s.nodes.child(dir, name)
	if child == nil {
		return
	}
	if id, ok := s.idOf(dir, name); !ok || id != child.key {
		s.nodes.removed(dir, name)
	}
}

func (s *Server) idOf(dir *node, name string) (tree.ID, bool) {
	d, err := s.dir(dir)
	if err != nil {
		return tree.ID{}, false
	}
	defer d.Close()
	st, err := d.StatName(name)
	return st.ID, err == nil
}

// follow moves a node to where its file went.
func (s *Server) follow(from *node, name string, to *node, toName string) {
	if n := s.nodes.child(from, name); n != nil {
		if id, ok := s.idOf(to, toName); ok && id == n.key {
			s.nodes.moved(from, name, to, toName, false)
			return
		}
	}
	s.reconcile(from, name)
	s.reconcile(to, toName)
}

func (s *Server) changeMove(c watch.Change) {
	from, ferr := s.nodes.get(c.Dir)
	to, terr := s.nodes.get(c.ToDir)
	switch {
	case ferr != nil && terr != nil:
		return
	case terr != nil:
		s.change(watch.Change{Kind: fusewire.EventDelete, Dir: c.Dir, Name: c.Name, IsDir: c.IsDir})
		return
	case ferr != nil:
		s.change(watch.Change{Kind: fusewire.EventCreate, Dir: c.ToDir, Name: c.ToName, IsDir: c.IsDir})
		return
	}
	e := fusewire.Event{Kind: fusewire.EventMove, Mode: fusewire.ModeRegular | 0o600, Name: c.Name, ToName: c.ToName}
	if c.IsDir {
		e.Mode = fusewire.ModeDir | 0o700
	}
	if n := s.nodes.child(from, c.Name); n != nil {
		e.Node, e.Mode = n.id, n.typ|0o600
		s.notices.invalidate(n)
	}
	if n := s.nodes.child(to, c.ToName); n != nil {
		if n.id != e.Node {
			e.Replaced, e.ReplacedMode = n.id, n.typ|0o600
		}
		s.notices.invalidate(n)
	}
	s.follow(from, c.Name, to, c.ToName)
	s.forgetName(from, c.Name)
	s.forgetName(to, c.ToName)
	toDir, err := s.nodes.path(to)
	if err != nil {
		return
	}
	e.Parent, e.ToNode, e.ToDir = from.id, to.id, toDir
	s.event(&e, from)
}

// forgetName makes the guest ask for a name again, and for its directory.
func (s *Server) forgetName(dir *node, name string) {
	s.notices.send(fusewire.FrameRaw, fusewire.AppendInvalEntry(nil, dir.id, name, s.expire()))
	s.notices.invalidate(dir)
}

// describe finds out what was created.
func (s *Server) describe(e *fusewire.Event, dir *node) {
	d, err := s.dir(dir)
	if err != nil {
		return
	}
	defer d.Close()
	ref, err := d.Name(e.Name)
	if err != nil {
		return
	}
	defer ref.Close()
	st, err := ref.Stat()
	if err != nil {
		return
	}
	e.Mode = st.Attr.Mode
	if e.Mode&fusewire.ModeType == fusewire.ModeSymlink {
		e.Target, _ = ref.Readlink()
	}
}

func (s *Server) event(e *fusewire.Event, dir *node) {
	path, err := s.nodes.path(dir)
	if err != nil {
		return
	}
	e.Dir = path
	s.notices.send(fusewire.FrameEvent, e.Append(nil))
}
