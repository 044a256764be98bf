package sharerelay

import (
	"time"

	"github.com/berthhq/berth/internal/fusewire"
)

// Numbers of our own, far above those that a server gives: a file that is gone and shown once more, and the handle of a
// file that is opened only to be closed.
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
	if h.Node == ghost {
		if !h.Op.Silent() {
			r.m.fail(h.Unique, fusewire.ENOENT)
		}
		return nil
	}
	e := r.current.Load()
	if e == nil || h.PID != r.thread.Load() {
		return msg
	}
	return r.answer(e, h, in, msg)
}

func (r *replay) answer(e *fusewire.Event, h fusewire.Header, in *fusewire.Reader, msg []byte) []byte {
	switch h.Op {
	case fusewire.OpLookup:
		return r.lookup(e, h, in.Text(), msg)
	case fusewire.OpMknod:
		in.Skip(16)
		return ask(h, in.Text())
	case fusewire.OpMkdir:
		in.Skip(8)
		return ask(h, in.Text())
	case fusewire.OpSymlink:
		return ask(h, in.Text())
	case fusewire.OpSetattr:
		h.Op = fusewire.OpGetattr
		return fusewire.AppendRequest(nil, h, make([]byte, 16))
	case fusewire.OpOpen:
		reply := fusewire.AppendOpen(make([]byte, fusewire.ReplyHeader), ghostHandle, fusewire.OpenKeepCache|fusewire.OpenNoFlush)
		_ = r.m.write(fusewire.SealReply(reply, h.Unique, fusewire.OK))
		return nil
	case fusewire.OpUnlink, fusewire.OpRmdir, fusewire.OpRename, fusewire.OpRename2:
		r.m.fail(h.Unique, fusewire.OK)
		return nil
	case fusewire.OpCreate, fusewire.OpLink, fusewire.OpWrite, fusewire.OpTmpfile, fusewire.OpSetxattr, fusewire.OpRemovexattr:
		r.m.fail(h.Unique, fusewire.EPERM) // no call of ours causes them
		return nil
	}
	return msg
}

// ask makes a question for a name of a request.
func ask(h fusewire.Header, name string) []byte {
	h.Op = fusewire.OpLookup
	return fusewire.AppendRequest(nil, h, append([]byte(name), 0))
}

func (r *replay) lookup(e *fusewire.Event, h fusewire.Header, name string, msg []byte) []byte {
	here := h.Node == e.Parent && name == e.Name
	switch {
	case here && e.Kind == fusewire.EventCreate,
		!here && e.Kind == fusewire.EventMove && h.Node == e.ToNode && name == e.ToName:
		r.m.fail(h.Unique, fusewire.ENOENT)
		return nil
	case here && e.Kind == fusewire.EventMove:
		h.Node = e.ToNode
		return ask(h, e.ToName)
	case here && e.Kind == fusewire.EventDelete:
		entry := fusewire.Entry{Node: ghost, Generation: 1, Attr: fusewire.Attr{Ino: ghost, Mode: e.Mode, Nlink: 1}}
		if e.Node != 0 {
			entry.Node, entry.EntryValid = e.Node, time.Millisecond
		}
		_ = r.m.write(fusewire.SealReply(entry.Append(make([]byte, fusewire.ReplyHeader)), h.Unique, fusewire.OK))
		return nil
	}
	return msg
}
