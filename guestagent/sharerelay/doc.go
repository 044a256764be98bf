// Package sharerelay is the guest's end of shared files: it mounts a FUSE file system for each share and carries the
// kernel's requests over streams that the host opened to the host's file server, and the answers back. It understands
// only what it must: its own requests.
//
// Those come of changes on the host. The kernel raises inotify events for what is done through it, so the relay repeats
// each change as a call on the mount, on one thread. The requests that this call causes carry the thread's number; the
// relay answers them as if the change had happened by them, or turns them into a question to the server for what is there
// now. Nothing of them reaches a file on the host.
//
//	event     call         its requests, and what becomes of them
//	create    mknod ...    LOOKUP: no such name; MKNOD, MKDIR, SYMLINK: a ghost
//	modify    fallocate    OPEN, FALLOCATE, FLUSH, RELEASE: done
//	attrib    fchmodat     SETATTR: GETATTR at the server
//	closed    open, close  OPEN, FLUSH, RELEASE: done
//	delete    unlinkat     UNLINK, RMDIR: done
//	move      renameat2    LOOKUP of the new name: what was there before; RENAME: done
//
// A LOOKUP of the name that changed asks the server, for a move by the new name. Where the file has gone on since, it finds
// a ghost: a file that is there for that call alone. A ghost is never kept: whoever uses the name next has the kernel ask
// the server.
//
// The relay is a process of its own. When a stream ends, its requests go to another; while there is none they wait.
package sharerelay
