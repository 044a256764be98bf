package disk

import (
	"fmt"
	"slices"
	"strings"
)

// Candidate is one disk of the machine.
type Candidate struct {
	Path     string
	Size     int64
	ReadOnly bool
	Found
}

// Action is what is to be done before a disk is mounted.
type Action int

// The actions.
const (
	Mount  Action = iota // it was unmounted in order
	Check                // it was not, or notes an error
	Repair               // its first superblock is gone
	Format               // it is blank
)

// minSize is what a disk must have to be formatted: the first spare superblock lies at 128 MiB.
const minSize = 256 << 20

// Decide picks the data disk and what to do with it. The error says why there is none.
func Decide(disks []Candidate) (Candidate, Action, error) {
	ours, blank := of(disks, Ours, Damaged), of(disks, Blank)
	switch {
	case len(ours) > 1:
		return Candidate{}, 0, fmt.Errorf("%s are all labelled %s: detach all but one", names(ours), Label)
	case len(ours) == 1 && ours[0].ReadOnly:
		return Candidate{}, 0, fmt.Errorf("data disk %s is read-only", ours[0].Path)
	case len(ours) == 1 && ours[0].Kind == Damaged:
		return ours[0], Repair, nil
	case len(ours) == 1 && !ours[0].Clean:
		return ours[0], Check, nil
	case len(ours) == 1:
		return ours[0], Mount, nil
	case len(blank) > 1:
		return Candidate{}, 0, fmt.Errorf("%s are all blank: which of them is to be the data disk cannot be told", names(blank))
	case len(blank) == 0:
		return Candidate{}, 0, fmt.Errorf("there is no data disk among %d disks", len(disks))
	case blank[0].ReadOnly:
		return Candidate{}, 0, fmt.Errorf("blank disk %s is read-only", blank[0].Path)
	case blank[0].Size < minSize:
		return Candidate{}, 0, fmt.Errorf("blank disk %s has %d bytes: a data disk needs at least %d", blank[0].Path, blank[0].Size, minSize)
	}
	return blank[0], Format, nil
}

func of(disks []Candidate, kinds ...Kind) []Candidate {
	var out []Candidate
	for _, d := range disks {
		if slices.Contains(kinds, d.Kind) {
			out = append(out, d)
		}
	}
	return out
}

func names(disks []Candidate) string {
	var out []string
	for _, d := range disks {
		out = append(out, d.Path)
	}
	return strings.Join(out, ", ")
}
