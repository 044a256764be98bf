package rootfs

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// File is one file of a root.
type File struct {
	Name string // without a leading slash
	Mode uint32 // permissions
	Data []byte
}

// WriteCPIO writes files, and the directories that they lie in, as an initramfs (cpio, "newc").
func WriteCPIO(w io.Writer, files []File, dirs ...string) error {
	c := &cpio{w: w, have: map[string]bool{}}
	for _, d := range slices.Sorted(slices.Values(dirs)) {
		c.dir(d)
	}
	for _, f := range slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) }) {
		c.dir(path.Dir(f.Name))
		c.entry(f.Name, 0o100000|f.Mode, f.Data)
	}
	c.entry("TRAILER!!!", 0, nil)
	c.pad(512)
	return c.err
}

type cpio struct {
	w    io.Writer
	n    int64
	ino  int
	have map[string]bool
	err  error
}

func (c *cpio) dir(name string) {
	if name == "." || c.have[name] {
		return
	}
	c.dir(path.Dir(name))
	c.have[name] = true
	c.entry(name, 0o040755, nil)
}

func (c *cpio) entry(name string, mode uint32, data []byte) {
	c.ino++
	// magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
	c.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0))
	c.write([]byte(name + "\x00"))
	c.pad(4)
	c.write(data)
	c.pad(4)
}

func (c *cpio) write(b []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(b)
		c.n += int64(len(b))
	}
}

func (c *cpio) pad(to int64) {
	if rest := c.n % to; rest != 0 {
		c.write(make([]byte, to-rest))
	}
}
