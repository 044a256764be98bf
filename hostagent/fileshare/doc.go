// Package fileshare serves directories and single files of the host to the guest. A Table says what is shared; a Server
// serves one share: it answers the FUSE requests that the guest's relay sends over streams, and tells the guest what has
// changed on the host, so that the guest's kernel may keep what it knows for long.
//
// The guest is not trusted. Package tree keeps every request beneath the share's root; numbers of nodes and handles are
// looked up in tables of bounded size and mean nothing outside of them; a message is taken apart by package fusewire,
// which cannot be made to read past it.
//
// What the guest's kernel remembers is right because of three things. An open compares the file with what was last told
// of it and makes the kernel forget the rest first. A directory is watched before anything of it is told (package watch),
// and each change by others is sent as an invalidation. What cannot be watched is told with a validity of 100 ms.
//
// Lock order: Server.rename, then nodes.mu, then node.mu. No lock is held while the guest is waited for.
package fileshare
