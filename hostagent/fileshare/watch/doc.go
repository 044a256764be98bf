// Package watch tells of changes that others make in directories. The process' own changes are not told of: the guest
// made them. On Linux it is fanotify with marks on single directories, which needs no privilege from Linux 5.13 on; where
// there is nothing like it, New is errors.ErrUnsupported.
package watch

import "github.com/berthhq/berth/internal/fusewire"

// Change is one change by others. Directories are named by the number that they were added with.
type Change struct {
	Kind   fusewire.EventKind
	Dir    uint64 // 0 of a move from where nothing is watched
	Name   string // "" is the file that was added as Dir itself
	ToDir  uint64 // of a move; 0 where the new directory is not watched
	ToName string
	IsDir  bool
}

// Func takes changes in their order. Lost says that there were more, nobody knows which.
type Func func(changes []Change, lost bool)
