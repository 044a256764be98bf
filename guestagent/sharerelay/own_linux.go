package sharerelay

import (
	"github.com/berthhq/berth/internal/fusewire"
)

// Numbers of our own have the highest bit, which a server's do not: files that are shown for the length of one call, and
// the handle of a file that is opened only to be closed.
const (
	ghost       = 1 << 63
	ghostHandle = 1<<63 + 1
)

// own answers the requests that the repeating thread causes, and returns what is to be sent to the server instead; nil is
// that nothing is.
func (r *replay) own(h fusewire.Header, body, msg []byte) []byte {
	in := fusewire.NewReader(body)
	if h.Op == fusewire.OpRelease || h.Op == fusewire.OpFlush {
		if in.U64() == ghostHandle {
			r.m.fail(h.Unique, fusewire.OK)
			return nil
		}
		return msg
	}
	e := r.current.Load()
	if e == nil || h.PID != r.thread.Load() {
		e = nil
	}
	if h.Node >= ghost {
		r.haunt(e, h)
		return nil
	}
	if e == nil {
		return msg
	}
	return r.answer(e, h, in, msg)
}

// haunt answers for a file that is not there: to the repeating thread as if it were, to others that it is gone.
func (r *replay) haunt(e *fusewire.Event, h fusewire.Header) {
	switch {
	case h.Op.Silent():
	case e != nil && (h.Op == fusewire.OpSetattr || h.Op == fusewire.OpGetattr):
		r.reply(h, fusewire.AppendAttr(empty(), &fusewire.Attr{Ino: h.Node, Mode: e.Mode, Nlink: 1}, 0))
	case e != nil && h.Op == fusewire.OpOpen:
		r.opened(h)
	case e != nil && h.Op == fusewire.OpFallocate:
		r.m.fail(h.Unique, fusewire.OK)
	default:
		r.m.fail(h.Unique, fusewire.ENOENT)
	}
}

func empty() []byte { return make([]byte, fusewire.ReplyHeader) }

func (r *replay) reply(h fusewire.Header, b []byte) {
	_ = r.m.write(fusewire.SealReply(b, h.Unique, fusewire.OK))
}

func (r *replay) opened(h fusewire.Header) {
	r.reply(h, fusewire.AppendOpen(empty(), ghostHandle, fusewire.OpenKeepCache|fusewire.OpenNoFlush))
}

// entry shows a file for one call: under the number that the guest knows it by, or as a ghost. The kernel asks again for
// the name when anybody else uses it.
func (r *replay) entry(h fusewire.Header, node uint64, mode uint32) {
	if node == 0 {
		r.ghosts = (r.ghosts + 1) & (1<<40 - 1)
		node = ghost | r.ghosts<<8
	}
	e := fusewire.Entry{Node: node, Generation: 1, Attr: fusewire.Attr{Ino: node, Mode: mode, Nlink: 1}}
	r.reply(h, e.Append(empty()))
}

func (r *replay) answer(e *fusewire.Event, h fusewire.Header, in *fusewire.Reader, msg []byte) []byte {
	switch h.Op {
	case fusewire.OpLookup:
		return r.lookup(e, h, in.Text(), msg)
	case fusewire.OpMknod, fusewire.OpMkdir, fusewire.OpSymlink:
		r.entry(h, 0, e.Mode)
	case fusewire.OpSetattr:
		h.Op = fusewire.OpGetattr
		r.passing.Store(h.Unique)
		return fusewire.AppendRequest(nil, h, make([]byte, 16))
	case fusewire.OpOpen:
		r.opened(h)
	case fusewire.OpUnlink, fusewire.OpRmdir, fusewire.OpRename, fusewire.OpRename2, fusewire.OpFallocate:
		r.m.fail(h.Unique, fusewire.OK)
	case fusewire.OpCreate, fusewire.OpLink, fusewire.OpWrite, fusewire.OpTmpfile, fusewire.OpSetxattr, fusewire.OpRemovexattr:
		r.m.fail(h.Unique, fusewire.EPERM) // no call of ours causes them
	default:
		return msg
	}
	return nil
}

// lookup answers for the names that the event is about, and leaves the way there to the server. A file that should still
// be there is asked for, so that the server counts it; the ghost is for one that has gone on since.
func (r *replay) lookup(e *fusewire.Event, h fusewire.Header, name string, msg []byte) []byte {
	if h.Node == e.Parent && name == e.Name {
		switch e.Kind {
		case fusewire.EventCreate:
			if e.Mode&fusewire.ModeType == fusewire.ModeDir {
				h.Op = fusewire.OpKnown // to make a directory anew would take it from whoever is in it
				return ask(h, name)
			}
			r.m.fail(h.Unique, fusewire.ENOENT)
			return nil
		case fusewire.EventDelete:
			r.entry(h, e.Node, e.Mode)
			return nil
		case fusewire.EventMove:
			h.Node = e.ToNode
			msg = ask(h, e.ToName) // still a LOOKUP
		}
		r.asked.Store(h.Unique)
		return msg
	}
	if e.Kind == fusewire.EventMove && h.Node == e.ToNode && name == e.ToName {
		if e.Replaced == 0 {
			r.m.fail(h.Unique, fusewire.ENOENT)
		} else {
			r.entry(h, e.Replaced, e.ReplacedMode)
		}
		return nil
	}
	return msg
}

// ask makes a question for a name of a request.
func ask(h fusewire.Header, name string) []byte {
	return fusewire.AppendRequest(nil, h, append([]byte(name), 0))
}

// answered looks at the server's answers to questions of ours. It takes one that says that there is no such file, and shows
// a ghost. Attributes in the place of SETATTR's are made such that they are not kept: the kernel takes those over any
// invalidation that overtook them.
func (r *replay) answered(unique uint64, msg []byte) bool {
	if unique != 0 && r.passing.CompareAndSwap(unique, 0) && len(msg) >= fusewire.ReplyHeader+12 {
		clear(msg[fusewire.ReplyHeader : fusewire.ReplyHeader+12])
	}
	if unique == 0 || !r.asked.CompareAndSwap(unique, 0) {
		return false
	}
	in := fusewire.NewReader(msg)
	in.Skip(4)
	failed := in.U32() != 0
	in.Skip(8)
	e := r.current.Load()
	if e == nil || !failed && in.U64() != 0 {
		return false
	}
	r.entry(fusewire.Header{Unique: unique}, 0, e.Mode)
	return true
}
