package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"

	"github.com/moby/sys/user"
)

// ranges are the subordinate ids of a name, or of its number, in the order of the file: the first stand for the
// container's root and the ids after it.
func (f files) ranges(file, name string, id int) ([]user.IDMap, error) {
	list, err := user.ParseSubIDFileFilter(f.path(file), func(s user.SubID) bool {
		return s.Name == name || s.Name == strconv.Itoa(id)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []user.IDMap
	var next int64
	for _, s := range list {
		if s.SubID <= 0 || s.Count <= 0 || s.SubID+s.Count > math.MaxInt32 {
			return nil, fmt.Errorf("%s: range %d:%d of %q is out of bounds", f.path(file), s.SubID, s.Count, name)
		}
		out = append(out, user.IDMap{ID: next, ParentID: s.SubID, Count: s.Count})
		next += s.Count
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no %s ranges found for user %q", file, name)
	}
	return out, nil
}
