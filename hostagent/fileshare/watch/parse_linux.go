package watch

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

const (
	metadataSize = 24
	infoHeader   = 4
	fidSize      = 8 // of the file system's number
)

func fileKey(fsid [2]int32, kind int32, handle []byte) string {
	b := make([]byte, 0, 16+len(handle))
	ne := binary.NativeEndian
	b = ne.AppendUint32(b, uint32(fsid[0]))
	b = ne.AppendUint32(b, uint32(fsid[1]))
	b = ne.AppendUint32(b, uint32(len(handle)))
	b = ne.AppendUint32(b, uint32(kind))
	return string(append(b, handle...))
}

// place is a directory's event key and a name in it.
type place struct {
	file []byte
	name string
}

// records are what a fanotify event says of where it happened.
type records struct {
	object         []byte
	at, old, moved place
}

// parse takes what was read from fanotify apart and leaves out what this process did.
func (w *Watcher) parse(b []byte, pid int32) (changes []Change, lost bool) {
	ne := binary.NativeEndian
	for len(b) >= metadataSize {
		size, head := int(ne.Uint32(b)), int(ne.Uint16(b[6:]))
		mask, who := ne.Uint64(b[8:]), int32(ne.Uint32(b[20:]))
		if size < metadataSize || size > len(b) || head > size {
			return changes, true
		}
		if mask&unix.FAN_Q_OVERFLOW != 0 {
			lost = true
		} else if who != pid {
			changes = w.changes(changes, mask, parseRecords(b[head:size]))
		}
		b = b[size:]
	}
	return changes, lost
}

func parseRecords(b []byte) (r records) {
	ne := binary.NativeEndian
	for len(b) >= infoHeader+fidSize+8 {
		kind, size := b[0], int(ne.Uint16(b[2:]))
		if size < infoHeader+fidSize+8 || size > len(b) {
			return r
		}
		body := b[infoHeader:size]
		end := fidSize + 8 + int(ne.Uint32(body[fidSize:]))
		if end > len(body) {
			return r
		}
		name, _, _ := bytes.Cut(body[end:], []byte{0})
		p := place{file: body[:end], name: string(name)}
		switch kind {
		case unix.FAN_EVENT_INFO_TYPE_FID:
			r.object = body[:end]
		case unix.FAN_EVENT_INFO_TYPE_DFID_NAME, unix.FAN_EVENT_INFO_TYPE_DFID:
			r.at = p
		case unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
			r.old = p
		case unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
			r.moved = p
		}
		b = b[size:]
	}
	return r
}

// order is in which several changes that the kernel merged into one event are told.
var order = [...]struct {
	mask uint64
	kind fusewire.EventKind
}{
	{unix.FAN_CREATE, fusewire.EventCreate},
	{unix.FAN_ATTRIB, fusewire.EventAttrib},
	{unix.FAN_MODIFY, fusewire.EventModify},
	{unix.FAN_CLOSE_WRITE, fusewire.EventClosed},
	{unix.FAN_DELETE, fusewire.EventDelete},
}

func (w *Watcher) changes(out []Change, mask uint64, r records) []Change {
	isDir := mask&unix.FAN_ONDIR != 0
	if mask&unix.FAN_RENAME != 0 {
		c := Change{Kind: fusewire.EventMove, Name: r.old.name, ToName: r.moved.name, IsDir: isDir}
		c.Dir, c.ToDir = w.id(r.old.file), w.id(r.moved.file)
		if c.Dir != 0 || c.ToDir != 0 {
			out = append(out, c)
		}
	}
	dir, self := w.id(r.at.file), w.id(r.object)
	for _, o := range order {
		if mask&o.mask == 0 {
			continue
		}
		if dir != 0 && r.at.name != "" && r.at.name != "." {
			out = append(out, Change{Kind: o.kind, Dir: dir, Name: r.at.name, IsDir: isDir})
		} else if dir != 0 {
			out = append(out, Change{Kind: o.kind, Dir: dir, IsDir: true})
		}
		if self != 0 && self != dir && (o.kind == fusewire.EventModify || o.kind == fusewire.EventAttrib) {
			out = append(out, Change{Kind: o.kind, Dir: self, IsDir: isDir})
		}
	}
	return out
}
