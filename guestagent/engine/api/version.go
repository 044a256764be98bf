package api

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// Version is a version of the Docker Engine API, such as 1.44.
type Version struct{ Major, Minor int }

// The versions served. The newest is that of the module github.com/moby/moby/api whose types are used; the oldest is
// dockerd 28's.
const (
	newestMinor = 56
	oldestMinor = 24
)

// Newest is the version a request without a prefix gets, and the largest a client may ask for.
func Newest() Version { return Version{1, newestMinor} }

// Oldest is the smallest version a client may ask for.
func Oldest() Version { return Version{1, oldestMinor} }

func v1(minor int) Version { return Version{1, minor} }

// String gives the version without a leading v.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Before says whether v is older than 1.minor.
func (v Version) Before(minor int) bool { return v.compare(v1(minor)) < 0 }

func (v Version) compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor))
}

// parseVersion reads "1.44". As dockerd it takes a missing minor ("1") and further parts ("1.44.0") for what they mean.
func parseVersion(s string) (Version, bool) {
	parts := strings.Split(s, ".")
	nums := make([]int, max(2, len(parts)))
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return Version{}, false
		}
		nums[i] = n
	}
	return Version{nums[0], nums[1]}, true
}

// negotiate turns the version of the request's path, "" if it had none, into the one it is answered in.
func negotiate(s string) (Version, error) {
	if s == "" {
		return Newest(), nil
	}
	v, ok := parseVersion(s)
	switch {
	case !ok:
		return Newest(), errdefs.Invalid("invalid API version %q in the request's path", s)
	case v.compare(Oldest()) < 0:
		return Newest(), errdefs.Invalid("client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version", s, Oldest())
	case v.compare(Newest()) > 0:
		return Newest(), errdefs.Invalid("client version %s is too new. Maximum supported API version is %s", s, Newest())
	}
	return v, nil
}
