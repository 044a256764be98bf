//go:build linux

package runtime

import (
	"strings"
)

// defaultPath is docker's PATH for an image that names none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the container's: what docker gives each, under what the image and the person said. HOME comes from
// the container's passwd file, which the supervisor reads.
func environment(in Input) []string {
	env := []string{"PATH=" + defaultPath, "HOSTNAME=" + in.Hostname}
	if in.Streams.Terminal {
		env = append(env, "TERM=xterm")
	}
	return MergeEnv(env, in.Env)
}

// MergeEnv lays over on top of base: a variable of over replaces base's in its place, a bare name in over (no "=")
// removes it, as docker does for `-e NAME` of a variable that is not set.
func MergeEnv(base, over []string) []string {
	out := append([]string(nil), base...)
	index := make(map[string]int, len(out)+len(over))
	for i, e := range out {
		k, _, _ := strings.Cut(e, "=")
		index[k] = i
	}
	gone := map[int]bool{}
	for _, e := range over {
		k, _, has := strings.Cut(e, "=")
		i, known := index[k]
		switch {
		case !has && known:
			gone[i] = true
			delete(index, k)
		case !has:
		case known:
			out[i] = e
		default:
			index[k] = len(out)
			out = append(out, e)
		}
	}
	if len(gone) == 0 {
		return out
	}
	kept := out[:0]
	for i, e := range out {
		if !gone[i] {
			kept = append(kept, e)
		}
	}
	return kept
}
