// Package owner remembers which owner and mode a container gave to a file. On the host every file is the person's, with
// permissions under which the person still can read and write it; what the container set is shown to the guest and
// nowhere else.
//
//	a container sets            the host's file                        the guest sees
//	owner or group              unchanged                              what was set
//	mode                        rwx bits, and always u+rw (u+rwx of a  what was set, until the host's
//	                            directory); never setuid, setgid,      permissions change: then the host's
//	                            sticky
//	nothing                                                            0:0 and the host's permissions
//	a file made by a user       the person's                           that user
//
// A record stands in the extended attribute Attribute of the file, so that it moves with it and is gone with it. Where
// there can be none (links, pipes, sockets, file systems without them) it stands in a file beside, by the file's ID.
package owner

import (
	"errors"
	"fmt"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// Attribute holds a file's record. The guest neither sees nor sets it.
const Attribute = "user.berth.owner"

const permissions = 0o7777

// Record is what is remembered of a file. Mode counts as long as the host's permissions are still Host.
type Record struct {
	UID, GID   uint32
	Mode, Host uint32
}

func (r Record) marshal() []byte {
	return fmt.Appendf(nil, "%d:%d:%o:%o", r.UID, r.GID, r.Mode, r.Host)
}

func unmarshal(b []byte) (r Record, ok bool) {
	n, err := fmt.Sscanf(string(b), "%d:%d:%o:%o", &r.UID, &r.GID, &r.Mode, &r.Host)
	if err != nil || n != 4 || r.Mode > permissions {
		return Record{}, false
	}
	return r, true
}

// Host is the permissions that the host's file gets for a mode that a container sets.
func Host(mode uint32, dir bool) uint32 {
	if dir {
		return mode&0o777 | 0o700
	}
	return mode&0o777 | 0o600
}

// Memory is the records of one share.
type Memory struct{ side *side }

// Open opens the file for what has no attributes; with path "" those records last as long as the process.
func Open(path string) (*Memory, error) {
	s, err := openSide(path)
	if err != nil {
		return nil, err
	}
	return &Memory{side: s}, nil
}

// Close closes it.
func (m *Memory) Close() error { return m.side.close() }

func carries(mode uint32) bool {
	t := mode & fusewire.ModeType
	return t == fusewire.ModeRegular || t == fusewire.ModeDir
}

// Show changes what the host says of a file into what the guest is to see. attribute reads the file's Attribute.
func (m *Memory) Show(s *tree.Stat, attribute func(buf []byte) (int, error)) {
	r, ok := m.get(s, attribute)
	s.Attr.UID, s.Attr.GID = r.UID, r.GID
	if ok && r.Host == s.Attr.Mode&0o777 {
		s.Attr.Mode = s.Attr.Mode&^permissions | r.Mode
		return
	}
	s.Attr.Mode &^= permissions &^ 0o777
}

func (m *Memory) get(s *tree.Stat, attribute func(buf []byte) (int, error)) (Record, bool) {
	var buf [64]byte
	if carries(s.Attr.Mode) {
		if n, err := attribute(buf[:]); err == nil {
			return unmarshal(buf[:n])
		} else if errors.Is(err, fusewire.ENODATA) && !m.side.any() {
			return Record{}, false
		}
	}
	if b := m.side.get(s.ID); b != nil {
		return unmarshal(b)
	}
	return Record{}, false
}

// Set remembers that the guest is to see shown of the file; hostMode is what the host's file has.
func (m *Memory) Set(ref tree.Ref, id tree.ID, shown fusewire.Attr, hostMode uint32) error {
	r := Record{UID: shown.UID, GID: shown.GID, Mode: shown.Mode & permissions, Host: hostMode & 0o777}
	plain := r.UID == 0 && r.GID == 0 && r.Mode == r.Host
	if carries(shown.Mode) {
		var err error
		if plain {
			err = ref.Removexattr(Attribute)
		} else {
			err = ref.Setxattr(Attribute, r.marshal(), 0)
		}
		if err == nil || plain && errors.Is(err, fusewire.ENODATA) {
			return nil
		}
	}
	if plain {
		return m.side.remove(id)
	}
	return m.side.set(id, r.marshal())
}
