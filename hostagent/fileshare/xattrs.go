package fileshare

import (
	"encoding/binary"
	"strings"

	"github.com/berthhq/berth/hostagent/fileshare/owner"
	"github.com/berthhq/berth/internal/fusewire"
)

// maxXattr is Linux' bound on a value and on a list.
const maxXattr = 64 << 10

// passes says whether an attribute is the guest's to read and set: those of users, but not our own. Others would mean
// something to the host's kernel.
func passes(name string) bool {
	return strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.berth.") && len(name) <= 255
}

func (s *Server) getxattr(n *node, r *request) error {
	size := r.in.U32()
	r.in.Skip(4)
	name := r.in.Text()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	if !passes(name) {
		return fusewire.ENODATA
	}
	ref, _, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	buf := make([]byte, min(size, maxXattr))
	got, err := ref.Getxattr(name, buf)
	if err != nil {
		return err
	}
	return sized(r, size, buf[:min(got, len(buf))], got)
}

// sized answers with a value, or with its size where no room was given.
func sized(r *request, room uint32, value []byte, length int) error {
	if room == 0 {
		r.out = binary.LittleEndian.AppendUint32(r.out, uint32(length))
		r.out = binary.LittleEndian.AppendUint32(r.out, 0)
		return nil
	}
	if length > int(room) {
		return fusewire.ERANGE
	}
	r.out = append(r.out, value...)
	return nil
}

func (s *Server) setxattr(n *node, r *request) error {
	size, flags := r.in.U32(), r.in.U32()
	name := r.in.Text()
	value := r.in.Rest()
	if r.in.Bad || int(size) != len(value) || size > maxXattr {
		return fusewire.EINVAL
	}
	if !passes(name) {
		return fusewire.EOPNOTSUPP
	}
	ref, _, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	return ref.Setxattr(name, value, flags)
}

func (s *Server) listxattr(n *node, r *request) error {
	size := r.in.U32()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	ref, _, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	names, err := ref.Listxattr()
	if err != nil {
		return err
	}
	var list []byte
	for _, name := range names {
		if name != owner.Attribute && passes(name) {
			list = append(append(list, name...), 0)
		}
	}
	return sized(r, size, list, len(list))
}

func (s *Server) removexattr(n *node, r *request) error {
	name := r.in.Text()
	if r.in.Bad {
		return fusewire.EINVAL
	}
	if !passes(name) {
		return fusewire.ENODATA
	}
	ref, _, err := s.ref(n)
	if err != nil {
		return err
	}
	defer ref.Close()
	return ref.Removexattr(name)
}
