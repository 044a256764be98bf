package fusewire

import "encoding/binary"

// AppendInvalInode adds a notification: what is cached of a node's attributes and data is out of date.
func AppendInvalInode(b []byte, node uint64) []byte {
	le := binary.LittleEndian
	b = notifyHeader(b, NotifyInvalInode, 24)
	b = le.AppendUint64(b, node)
	b = le.AppendUint64(b, 0)
	return le.AppendUint64(b, 0)
}

// AppendInvalEntry adds a notification: what is known of a name in a directory must be asked for again.
func AppendInvalEntry(b []byte, parent uint64, name string, flags uint32) []byte {
	le := binary.LittleEndian
	b = notifyHeader(b, NotifyInvalEntry, 16+len(name)+1)
	b = le.AppendUint64(b, parent)
	b = le.AppendUint32(b, uint32(len(name)))
	b = le.AppendUint32(b, flags)
	b = append(b, name...)
	return append(b, 0)
}

// AppendIncEpoch adds a notification: every name must be asked for again (protocol 7.44).
func AppendIncEpoch(b []byte) []byte { return notifyHeader(b, NotifyIncEpoch, 0) }

func notifyHeader(b []byte, code, body int) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(ReplyHeader+body))
	b = le.AppendUint32(b, uint32(code))
	return le.AppendUint64(b, 0)
}
