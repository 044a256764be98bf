package document

import (
	"crypto/sha1" //nolint:gosec // UUIDs of version 5 are made by it
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Service is the service of a guest's vsock port, as Linux' hv_sock and Windows' sockets name it.
func Service(port uint32) string { return fmt.Sprintf("%08x-facb-11e6-bd58-64006a7986d3", port) }

// space is the name space of Identity, drawn once.
var space = [16]byte{0x7a, 0x1e, 0x0c, 0x52, 0x3d, 0x6b, 0x4f, 0x0a, 0x9c, 0x44, 0x21, 0x8b, 0xe5, 0xd0, 0x6f, 0x93}

// Identity is the compute system's name: a UUID that a machine's directory always has, so that it is found again, and is
// one machine however often it is started. Case is nothing in Windows' paths.
func Identity(dir string) string {
	h := sha1.New() //nolint:gosec // see above
	h.Write(space[:])
	h.Write([]byte(strings.ToLower(dir)))
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	s := hex.EncodeToString(u)
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// VirtualMachineSID is the account that Windows runs a virtual machine as: NT VIRTUAL MACHINE\ID. The identifier's 16
// bytes, as Windows lays a GUID out in memory, are its last four numbers.
func VirtualMachineSID(id string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 {
		return ""
	}
	le, be := binary.LittleEndian, binary.BigEndian
	second := uint32(be.Uint16(b[4:])) | uint32(be.Uint16(b[6:]))<<16
	return fmt.Sprintf("S-1-5-83-1-%d-%d-%d-%d", be.Uint32(b), second, le.Uint32(b[8:]), le.Uint32(b[12:]))
}
