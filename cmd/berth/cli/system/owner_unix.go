//go:build unix

package system

import (
	"os"
	"syscall"
)

func rootOwned(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}
