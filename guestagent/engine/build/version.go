//go:build linux

package build

import "runtime/debug"

// kitVersion is the version of the BuildKit that this program is linked with.
func kitVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/moby/buildkit" {
			return d.Version
		}
	}
	return "unknown"
}
