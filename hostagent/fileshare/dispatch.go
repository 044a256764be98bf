package fileshare

import (
	"encoding/binary"

	"github.com/berthhq/berth/internal/fusewire"
)

// operation carries out a request on its node and appends the answer's body to r.out.
type operation func(s *Server, n *node, r *request) error

// operationOf says how a request is served. What is missing is ENOSYS, which the guest's kernel remembers: OPENDIR and
// RELEASEDIR are missing so that it reads directories from its cache without asking.
func operationOf(op fusewire.Opcode) operation {
	switch op {
	case fusewire.OpLookup:
		return (*Server).lookup
	case fusewire.OpKnown:
		return (*Server).known
	case fusewire.OpGetattr:
		return (*Server).getattr
	case fusewire.OpSetattr:
		return (*Server).setattr
	case fusewire.OpReadlink:
		return (*Server).readlink
	case fusewire.OpSymlink:
		return (*Server).symlink
	case fusewire.OpMknod:
		return (*Server).mknod
	case fusewire.OpMkdir:
		return (*Server).mkdir
	case fusewire.OpUnlink:
		return (*Server).unlink
	case fusewire.OpRmdir:
		return (*Server).rmdir
	case fusewire.OpRename:
		return (*Server).rename1
	case fusewire.OpRename2:
		return (*Server).rename2
	case fusewire.OpLink:
		return (*Server).link
	case fusewire.OpStatfs:
		return (*Server).statfs
	case fusewire.OpAccess:
		return (*Server).access
	case fusewire.OpReaddir:
		return (*Server).readdir
	case fusewire.OpReaddirplus:
		return (*Server).readdirplus
	case fusewire.OpFsyncdir:
		return (*Server).fsyncdir
	case fusewire.OpInit:
		return (*Server).initialise
	case fusewire.OpDestroy:
		return func(*Server, *node, *request) error { return nil }
	}
	return fileOperationOf(op)
}

func fileOperationOf(op fusewire.Opcode) operation {
	switch op {
	case fusewire.OpOpen:
		return (*Server).open
	case fusewire.OpCreate:
		return (*Server).create
	case fusewire.OpTmpfile:
		return (*Server).tmpfile
	case fusewire.OpRead:
		return (*Server).read
	case fusewire.OpWrite:
		return (*Server).write
	case fusewire.OpFlush:
		return (*Server).flush
	case fusewire.OpRelease:
		return (*Server).release
	case fusewire.OpFsync:
		return (*Server).fsync
	case fusewire.OpLseek:
		return (*Server).lseek
	case fusewire.OpFallocate:
		return (*Server).fallocate
	case fusewire.OpCopyFileRange:
		return (*Server).copyFileRange
	case fusewire.OpGetlk:
		return (*Server).getlk
	case fusewire.OpSetlk:
		return (*Server).setlk
	case fusewire.OpSetlkw:
		return (*Server).setlkw
	case fusewire.OpGetxattr:
		return (*Server).getxattr
	case fusewire.OpSetxattr:
		return (*Server).setxattr
	case fusewire.OpListxattr:
		return (*Server).listxattr
	case fusewire.OpRemovexattr:
		return (*Server).removexattr
	}
	return nil
}

// changes are the requests that a read-only share refuses whatever is in them.
func changes(op fusewire.Opcode) bool {
	switch op {
	case fusewire.OpSetattr, fusewire.OpSymlink, fusewire.OpMknod, fusewire.OpMkdir, fusewire.OpUnlink, fusewire.OpRmdir,
		fusewire.OpRename, fusewire.OpRename2, fusewire.OpLink, fusewire.OpCreate, fusewire.OpTmpfile, fusewire.OpWrite,
		fusewire.OpFallocate, fusewire.OpCopyFileRange, fusewire.OpSetxattr, fusewire.OpRemovexattr:
		return true
	}
	return false
}

func (s *Server) dispatch(r *request) error {
	do := operationOf(r.Op)
	if s.watch == nil && (r.Op == fusewire.OpOpendir || r.Op == fusewire.OpReleasedir) {
		do = (*Server).opendir
	}
	if do == nil {
		return fusewire.ENOSYS
	}
	if r.Op == fusewire.OpInit {
		return do(s, nil, r)
	}
	if s.opt.ReadOnly && changes(r.Op) {
		return fusewire.EROFS
	}
	n, err := s.nodes.get(r.Node)
	if err != nil {
		return err
	}
	return do(s, n, r)
}

// silent carries out what has no answer.
func (s *Server) silent(h fusewire.Header, in *fusewire.Reader) {
	switch h.Op {
	case fusewire.OpForget:
		s.nodes.forget(h.Node, in.U64())
	case fusewire.OpBatchForget:
		count := in.U32()
		in.Skip(4)
		for ; count > 0 && !in.Bad; count-- {
			id := in.U64()
			s.nodes.forget(id, in.U64())
		}
	case fusewire.OpInterrupt:
		s.flights.interrupt(in.U64())
	}
}

// fresh forgets what a mount before this one knew.
func (s *Server) fresh() {
	s.nodes.forgetAll()
	for _, h := range s.handles.all() {
		s.handles.remove(h.id, h.node)
		_ = h.file.Close()
	}
	if s.journal.kept() {
		_ = s.rewrite()
	}
}

const wanted = fusewire.InitAsyncRead | fusewire.InitAtomicTrunc | fusewire.InitBigWrites | fusewire.InitReaddirplus |
	fusewire.InitReaddirAuto | fusewire.InitAsyncDIO | fusewire.InitParallelDirops | fusewire.InitMaxPages |
	fusewire.InitCacheSymlinks | fusewire.InitExplicitInval | fusewire.InitKillprivV2 | fusewire.InitExt |
	fusewire.InitExpireOnly | fusewire.InitDirectMmap | fusewire.InitNoOpendir

// initialise agrees on the protocol with the guest's kernel.
func (s *Server) initialise(_ *node, r *request) error {
	major, minor := r.in.U32(), r.in.U32()
	readahead, flags := r.in.U32(), uint64(r.in.U32())
	if r.in.Bad || major != fusewire.Major || minor < fusewire.MinMinor {
		return fusewire.EPROTO
	}
	if flags&fusewire.InitExt != 0 {
		flags |= uint64(r.in.U32()) << 32
	}
	flags &= wanted | s.lockFlags()
	s.minor.Store(min(minor, fusewire.Minor))
	s.expireOnly.Store(flags&fusewire.InitExpireOnly != 0)
	s.fresh()
	le := binary.LittleEndian
	b := r.out
	for _, v := range [...]uint32{fusewire.Major, min(minor, fusewire.Minor), min(readahead, fusewire.MaxData), uint32(flags)} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint16(b, 64) // requests in the background
	b = le.AppendUint16(b, 48)
	b = le.AppendUint32(b, fusewire.MaxData)
	b = le.AppendUint32(b, 1) // granularity of times, ns
	b = le.AppendUint16(b, fusewire.MaxData/4096)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, uint32(flags>>32))
	r.out = append(b, make([]byte, fusewire.ReplyHeader+64-len(b))...)
	return nil
}
