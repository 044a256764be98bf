package vz

import (
	"bytes"
	"fmt"
	"os"
	goruntime "runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// New is the driver of this Mac.
func New() *Driver {
	version, err := unix.Sysctl("kern.osproductversion")
	if err != nil {
		version = "0"
	}
	return &Driver{host: Host{Arch: goruntime.GOARCH, MacOS: version}, open: openNative, pathOf: pathOf}
}

// pathOf asks the kernel where an open file lies: it may have been handed down without a name.
func pathOf(f *os.File) (string, error) {
	buf := make([]byte, 1024) // MAXPATHLEN
	var pin goruntime.Pinner
	pin.Pin(&buf[0])
	defer pin.Unpin()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_GETPATH, int(uintptr(unsafe.Pointer(&buf[0])))); err != nil {
		return "", fmt.Errorf("where %s lies: %w", f.Name(), os.NewSyscallError("fcntl", err))
	}
	path, _, _ := bytes.Cut(buf, []byte{0})
	return string(path), nil
}
