//go:build linux

package image

import (
	"regexp"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// danglingPrefix begins the name of an image that lost its last tag: the metadata wants a name for everything. It is
// no valid reference, so nobody can type it.
const danglingPrefix = "dangling@"

func danglingName(target digest.Digest) string { return danglingPrefix + target.String() }

func isDangling(name string) bool { return strings.HasPrefix(name, danglingPrefix) }

// shortID is what docker takes for an abbreviated image ID.
var shortID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{4,64}$`)

// parseRef reads what a person typed as docker does: "ubuntu" is docker.io/library/ubuntu:latest. A tag beside a digest
// is dropped, since the digest decides.
func parseRef(s string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return nil, errdefs.Invalid("%w", err).WithHint("%q cannot be the name of an image", s)
	}
	if d, ok := named.(reference.Digested); ok {
		c, err := reference.WithDigest(reference.TrimNamed(named), d.Digest())
		if err != nil {
			return nil, errdefs.Invalid("invalid reference format").WithHint("%q cannot be the name of an image", s)
		}
		return c, nil
	}
	return reference.TagNameOnly(named), nil
}

// parseTagged is parseRef for what becomes a name: a digest is refused.
func parseTagged(s string) (reference.NamedTagged, error) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return nil, errdefs.Invalid("%w", err).WithHint("%q cannot be the name of an image", s)
	}
	if _, ok := named.(reference.Digested); ok {
		return nil, errdefs.Invalid("refusing to create a tag with a digest reference")
	}
	tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
	if !ok {
		return nil, errdefs.Invalid("invalid reference format").WithHint("%q cannot be the name of an image", s)
	}
	return tagged, nil
}

// familiar is the short form of a stored name; a dangling image has none.
func familiar(name string) string {
	if isDangling(name) {
		return ""
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(named)
}

// tagOf is the tag or digest of a reference.
func tagOf(named reference.Named) string {
	switch r := named.(type) {
	case reference.Digested:
		return r.Digest().String()
	case reference.Tagged:
		return r.Tag()
	}
	return ""
}
