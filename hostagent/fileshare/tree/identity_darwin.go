package tree

import (
	"io/fs"
	"syscall"

	"github.com/berthhq/berth/internal/fusewire"
)

func identify(s *Stat, fi fs.FileInfo, _ string) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	s.ID = ID{Dev: uint64(st.Dev), Ino: st.Ino, Born: uint64(st.Birthtimespec.Sec)<<30 | uint64(st.Birthtimespec.Nsec)}
	s.Attr.Nlink, s.Attr.Blocks = uint32(st.Nlink), uint64(st.Blocks)
	s.Attr.Atime = fusewire.Time{Sec: st.Atimespec.Sec, Nsec: uint32(st.Atimespec.Nsec)}
	s.Attr.Ctime = fusewire.Time{Sec: st.Ctimespec.Sec, Nsec: uint32(st.Ctimespec.Nsec)}
}

// number translates what BSD numbers differently.
func number(e syscall.Errno) error {
	switch e {
	case syscall.ENOTEMPTY:
		return fusewire.ENOTEMPTY
	case syscall.ENAMETOOLONG:
		return fusewire.ENAMETOOLONG
	case syscall.ELOOP:
		return fusewire.ELOOP
	case syscall.EOPNOTSUPP, syscall.ENOTSUP:
		return fusewire.EOPNOTSUPP
	case syscall.ENOSYS:
		return fusewire.ENOSYS
	case syscall.EAGAIN:
		return fusewire.EAGAIN
	}
	if e < 35 { // the numbers of Version 7
		return fusewire.Errno(e)
	}
	return fusewire.EIO
}
