package fusewire

import (
	"encoding/binary"
	"fmt"
)

// EventKind is a change that was made on the host.
type EventKind uint32

// The changes that a program in the guest can be told of through inotify.
const (
	EventCreate EventKind = 1 + iota
	EventModify
	EventAttrib
	EventDelete
	EventMove
	EventClosed // written to and closed
)

// Event is a change for the guest to repeat. Dir is the directory's path below the share's root, Parent its node.
type Event struct {
	Kind   EventKind
	Mode   uint32 // type and permissions of what changed
	Parent uint64
	Node   uint64 // of what changed; 0 where the guest does not know it
	Dir    string
	Name   string
	ToNode uint64 // EventMove: the new directory, its path, and the new name
	ToDir  string
	ToName string
	// EventMove: what the new name was before, 0 where the guest does not know it.
	Replaced     uint64
	ReplacedMode uint32
	Target       string // EventCreate of a symbolic link
}

// Append adds the event to b.
func (e *Event) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(e.Kind))
	b = le.AppendUint32(b, e.Mode)
	b = le.AppendUint64(b, e.Parent)
	b = le.AppendUint64(b, e.Node)
	b = le.AppendUint64(b, e.ToNode)
	b = le.AppendUint64(b, e.Replaced)
	b = le.AppendUint32(b, e.ReplacedMode)
	for _, s := range [...]string{e.Dir, e.Name, e.ToDir, e.ToName, e.Target} {
		b = append(append(b, s...), 0)
	}
	return b
}

// ParseEvent reads what Append wrote.
func ParseEvent(b []byte) (Event, error) {
	r := NewReader(b)
	e := Event{Kind: EventKind(r.U32()), Mode: r.U32(), Parent: r.U64(), Node: r.U64(), ToNode: r.U64()}
	e.Replaced, e.ReplacedMode = r.U64(), r.U32()
	e.Dir, e.Name, e.ToDir, e.ToName, e.Target = r.Text(), r.Text(), r.Text(), r.Text(), r.Text()
	if r.Bad || e.Kind < EventCreate || e.Kind > EventClosed || !ValidName(e.Name) || e.Kind == EventMove && !ValidName(e.ToName) {
		return Event{}, fmt.Errorf("event of %d bytes is malformed", len(b))
	}
	return e, nil
}
