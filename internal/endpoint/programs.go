package endpoint

import (
	"os"
	"path/filepath"
)

// ProgramDirs are where the programs that belong to this one are looked for: beside it, wherever links to it lie, and
// then in the directories given.
func ProgramDirs(more []string) []string {
	self, err := os.Executable()
	if err != nil {
		return more
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return append([]string{filepath.Dir(self)}, more...)
}
