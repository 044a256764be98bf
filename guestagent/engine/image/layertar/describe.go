//go:build linux

package layertar

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/berthhq/berth/guestagent/engine/image/erofs"
	"golang.org/x/sys/unix"
)

const (
	xattrRecord = "SCHILY.xattr."
	capability  = "security.capability"
	aclAccess   = "system.posix_acl_access"
	aclDefault  = "system.posix_acl_default"
)

// describe gives a file the owner, attributes, mode and time of its entry: in the order of chown, setxattr and chmod,
// whose effects on one another it has.
func describe(n *erofs.Node, h *tar.Header) error {
	keep := ^uint32(0) // chown(2): -1 leaves it
	if uid := uint32(h.Uid); uid != keep {
		n.UID = uid
	}
	if gid := uint32(h.Gid); gid != keep {
		n.GID = gid
	}
	if !n.IsDir() {
		delete(n.Xattrs, capability) // lost by chown, which a hard link's entry means too
	}
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, xattrRecord)
		if !ok {
			continue
		}
		if err := admitXattr(n, name, value); err == nil {
			setXattr(n, name, value)
		} else if err != unix.ENOTSUP {
			return fmt.Errorf("failed to setxattr %q for key %q: %w", h.Name, name, err)
		}
	}
	if n.Kind() != erofs.TypeLink {
		n.Mode = n.Kind() | modeBits(h)
		chmodACL(n)
	}
	n.Mtime = boundTime(h.ModTime)
	return nil
}

func setXattr(n *erofs.Node, name, value string) {
	if n.Xattrs == nil {
		n.Xattrs = map[string]string{}
	}
	n.Xattrs[name] = value
}

// modeBits are an entry's permissions.
func modeBits(h *tar.Header) uint32 { return uint32(h.Mode) & 0o7777 }

// admitXattr says what the kernel would of an attribute; ENOTSUP is what is left out.
func admitXattr(n *erofs.Node, name, value string) error {
	_, rest, known := erofs.SplitXattr(name)
	plain := n.Kind() == erofs.TypeFile || n.IsDir()
	switch {
	case strings.HasPrefix(name, "trusted."), !known:
		return unix.ENOTSUP
	case strings.HasPrefix(name, "user.") && !plain:
		return unix.ENOTSUP // EPERM there, which is passed over as well
	case len(name) > 255:
		return unix.ERANGE
	case len(value) > 0xffff:
		return unix.E2BIG
	case rest == "" && name != aclAccess && name != aclDefault:
		return unix.EINVAL
	case name == capability && !validCapability(value):
		return unix.EINVAL
	case name == aclAccess || name == aclDefault:
		return admitACL(n, name, value)
	}
	return nil
}

// validCapability tells whether the kernel takes a value for a file's capabilities: revisions 2 and 3.
func validCapability(v string) bool {
	if len(v) < 4 {
		return false
	}
	switch revision := binary.LittleEndian.Uint32([]byte(v)) >> 24; revision {
	case 2:
		return len(v) == 20
	case 3:
		return len(v) == 24
	}
	return false
}

func admitACL(n *erofs.Node, name, value string) error {
	switch {
	case n.Kind() == erofs.TypeLink:
		return unix.ENOTSUP
	case name == aclDefault && !n.IsDir():
		return syscall.EACCES
	case len(value) < 4 || (len(value)-4)%8 != 0 || binary.LittleEndian.Uint32([]byte(value)) != 2:
		return unix.EINVAL
	}
	return nil
}

// Tags of the entries of an access list, and where an entry has its tag and permissions.
const (
	aclOwner, aclGroup, aclMask, aclOther = 0x01, 0x04, 0x10, 0x20
	aclEntry                              = 8
)

// chmodACL brings an access list into line with the mode, as chmod does. One that says no more than the mode goes.
func chmodACL(n *erofs.Node) {
	acl, ok := n.Xattrs[aclAccess]
	if !ok {
		return
	}
	b, le := []byte(acl), binary.LittleEndian
	var tags []uint16
	for at := 4; at+aclEntry <= len(b); at += aclEntry {
		tags = append(tags, le.Uint16(b[at:]))
	}
	masked := slices.Contains(tags, aclMask)
	if !masked && len(tags) <= 3 {
		delete(n.Xattrs, aclAccess)
		return
	}
	for i, tag := range tags {
		perm := b[4+i*aclEntry+2:]
		switch {
		case tag == aclOwner:
			le.PutUint16(perm, uint16(n.Mode>>6&7))
		case tag == aclMask, tag == aclGroup && !masked:
			le.PutUint16(perm, uint16(n.Mode>>3&7))
		case tag == aclOther:
			le.PutUint16(perm, uint16(n.Mode&7))
		}
	}
	n.Xattrs[aclAccess] = string(b)
}
