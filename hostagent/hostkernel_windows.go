package hostagent

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// hostKernel is the host's Windows: under another one, what did not work may.
func hostKernel() string {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
}
