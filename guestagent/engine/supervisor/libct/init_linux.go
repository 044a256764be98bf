//go:build cgo && seccomp

package libct

import (
	"os"

	_ "github.com/opencontainers/cgroups/devices" // sets device rules
	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // enters namespaces before the Go runtime starts
)

// Init does not return where the program was executed by libcontainer to become a container's process.
func Init() {
	if len(os.Args) == 2 && os.Args[1] == "init" {
		libcontainer.Init()
	}
}
