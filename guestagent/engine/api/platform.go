package api

import (
	"encoding/json"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// platformName reads the platform parameter of create and pull: "linux/arm64". Versions before 1.since ignore it.
func (c *call) platformName(since int) (*ocispec.Platform, error) {
	s := c.query.Get("platform")
	if s == "" || c.version.Before(since) {
		return nil, nil
	}
	p, err := platforms.Parse(s)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return &p, nil
}

// platformJSON reads the platform parameter of the other verbs: an OCI platform as JSON. Versions before 1.since ignore it.
func (c *call) platformJSON(since int) (*ocispec.Platform, error) {
	values := c.query["platform"]
	if c.version.Before(since) || len(values) == 0 || values[0] == "" {
		return nil, nil
	}
	if len(values) > 1 {
		return nil, errdefs.Invalid("multiple platform parameters not supported")
	}
	return parsePlatform(values[0])
}

// platformsJSON reads the platforms parameter, which may be there several times. Versions before 1.since ignore it.
func (c *call) platformsJSON(since int) ([]ocispec.Platform, error) {
	if c.version.Before(since) {
		return nil, nil
	}
	var list []ocispec.Platform
	for _, v := range c.query["platforms"] {
		p, err := parsePlatform(v)
		if err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, nil
}

func parsePlatform(s string) (*ocispec.Platform, error) {
	var p ocispec.Platform
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return nil, errdefs.Invalid("failed to parse platform: %w", err)
	}
	optional := p.Variant != "" || p.OSVersion != "" || len(p.OSFeatures) > 0
	switch {
	case p.OS == "" && p.Architecture == "" && optional:
		return nil, errdefs.Invalid("optional platform fields provided, but OS and Architecture are missing")
	case p.OS == "" || p.Architecture == "":
		return nil, errdefs.Invalid("both OS and Architecture must be provided")
	}
	return &p, nil
}
