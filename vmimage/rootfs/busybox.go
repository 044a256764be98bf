package rootfs

import (
	"fmt"
	"io"

	"github.com/berthhq/berth/vmimage/kernel"
)

// Busybox is the shell of people who look into the machine, linked statically, out of Debian's package.
func Busybox(deb string) (program []byte, err error) {
	err = kernel.EachFile(deb, func(name string, r io.Reader) (err error) {
		if name == "bin/busybox" {
			program, err = io.ReadAll(r)
		}
		return err
	})
	if err == nil && len(program) == 0 {
		err = fmt.Errorf("%s: it has no bin/busybox", deb)
	}
	return program, err
}
