//go:build linux

package image

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/metadata/boltutil"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/image"
	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"
)

// ListOptions select and widen the list of images.
type ListOptions struct {
	All, SharedSize, Manifests bool
	Filters                    map[string]map[string]bool
}

// group is all names of one target: what a person sees as one image.
type group struct {
	target images.Image
	names  []string
	parts  *parts // nil where neither manifest nor configuration is here
	size   int64
}

// groups lists the images that are here, newest first.
func (s *Service) groups(ctx context.Context) (all []*group, err error) {
	err = s.bolt.View(func(tx *bolt.Tx) error { // one transaction in place of several for each image
		all, err = s.grouped(boltutil.WithTransaction(ctx, tx))
		return err
	})
	return all, err
}

func (s *Service) grouped(ctx context.Context) ([]*group, error) {
	list, err := s.images.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	byDigest := map[digest.Digest]*group{}
	var all []*group
	for _, img := range list {
		g := byDigest[img.Target.Digest]
		if g == nil {
			g = &group{target: img}
			byDigest[img.Target.Digest] = g
			all = append(all, g)
		}
		if !isDangling(img.Name) {
			g.names = append(g.names, img.Name)
		}
	}
	for _, g := range all {
		if g.parts, err = s.best(ctx, g.target); err != nil && !cerrdefs.IsNotFound(err) {
			return nil, err
		}
		if g.parts != nil {
			if g.size, err = s.sizeOf(ctx, g.parts); err != nil {
				return nil, err
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].created().After(all[j].created()) })
	return all, nil
}

// best reads the manifest that stands for an image: this machine's, else any. What its slices and maps hold is
// shared: nobody changes it.
func (s *Service) best(ctx context.Context, img images.Image) (*parts, error) {
	if p, ok := s.listed.Get(img.Target.Digest); ok && s.present(ctx, p.desc) && s.present(ctx, p.manifest.Config) {
		dup := *p
		return &dup, nil
	}
	p, err := s.pick(ctx, img.Target, s.matcher(nil))
	if err == nil {
		dup := *p
		s.listed.Add(img.Target.Digest, &dup)
	}
	if cerrdefs.IsNotFound(err) { // and may be here later
		p, err = s.pick(ctx, img.Target, platforms.All)
	}
	return p, err
}

// maxListed is how many images' parts are kept in memory for the next list, a few KiB each: reading and decoding them is
// nearly all that a list takes.
const maxListed = 512

// Count is how many images are here; several names of one are one.
func (s *Service) Count(ctx context.Context) (int, error) {
	list, err := s.images.List(s.ctx(ctx))
	if err != nil {
		return 0, fmt.Errorf("counting images: %w", err)
	}
	seen := map[digest.Digest]bool{}
	for _, img := range list {
		seen[img.Target.Digest] = true
	}
	return len(seen), nil
}

// sizeOf is what one platform of an image takes: its content and its unpacked layers, in bytes.
func (s *Service) sizeOf(ctx context.Context, p *parts) (int64, error) {
	total := p.desc.Size + p.manifest.Config.Size
	for _, l := range p.manifest.Layers {
		if s.present(ctx, l) {
			total += l.Size
		}
	}
	if p.chainID() == "" {
		return total, nil
	}
	unpacked, err := s.chainSize(ctx, p.chainID())
	if cerrdefs.IsNotFound(err) {
		return total, nil // not unpacked
	}
	return total + unpacked, err
}

func (g *group) created() time.Time {
	if g.parts == nil || g.parts.config.Created == nil {
		return time.Time{}
	}
	return *g.parts.config.Created
}

func (g *group) id() string { return g.target.Target.Digest.String() }

// tags and digests are the two ways to write an image's names, familiar and sorted.
func (g *group) tags() []string {
	tags := []string{}
	for _, n := range g.names {
		if named, err := reference.ParseNormalizedNamed(n); err == nil {
			if _, ok := named.(reference.Tagged); ok {
				tags = append(tags, reference.FamiliarString(named))
			}
		}
	}
	sort.Strings(tags)
	return tags
}

func (g *group) digests() []string {
	seen := map[string]bool{}
	list := []string{}
	for _, n := range g.names {
		named, err := reference.ParseNormalizedNamed(n)
		if err != nil {
			continue
		}
		d := reference.FamiliarName(named) + "@" + g.id()
		if !seen[d] {
			seen[d] = true
			list = append(list, d)
		}
	}
	sort.Strings(list)
	return list
}

// ImageList lists the images that pass the filters, newest first.
func (s *Service) ImageList(ctx context.Context, o ListOptions) ([]image.Summary, error) {
	ctx = s.ctx(ctx)
	all, err := s.groups(ctx)
	if err != nil {
		return nil, err
	}
	keep, err := s.filter(ctx, o.Filters)
	if err != nil {
		return nil, err
	}
	out := []image.Summary{}
	for _, g := range all {
		if tags, ok := keep(g); ok {
			sum := s.summary(g, tags)
			if len(o.Filters["reference"]) > 0 {
				sum.RepoDigests = ofRepositories(sum.RepoDigests, tags)
			}
			out = append(out, sum)
		}
	}
	if o.SharedSize {
		if err := s.addShared(ctx, out); err != nil {
			return nil, err
		}
	}
	if o.Manifests {
		if err := s.addManifests(ctx, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ofRepositories keeps the digests in the repositories that tags are of. Clients list an image once more for a repository
// that has a digest alone.
func ofRepositories(digests, tags []string) []string {
	return slices.DeleteFunc(digests, func(d string) bool {
		name, _, _ := strings.Cut(d, "@")
		return !slices.ContainsFunc(tags, func(t string) bool { return t[:strings.LastIndex(t, ":")] == name })
	})
}

func (s *Service) summary(g *group, tags []string) image.Summary {
	target := g.target.Target
	sum := image.Summary{
		ID: g.id(), RepoTags: tags, RepoDigests: g.digests(), Created: g.created().Unix(), Size: g.size, SharedSize: -1,
		Containers: int64(len(s.usersOf(g.id()))), Descriptor: &target,
	}
	if g.created().IsZero() {
		sum.Created = 0
	}
	if g.parts != nil {
		sum.Labels = g.parts.config.Config.Labels
	}
	return sum
}

// addShared counts the unpacked bytes that each image has in common with another of the list.
func (s *Service) addShared(ctx context.Context, list []image.Summary) error {
	users := map[string]int{}
	chains := make([][]string, len(list))
	for i := range list {
		p, err := s.best(ctx, images.Image{Target: *list[i].Descriptor})
		if err != nil || p.chainID() == "" {
			continue
		}
		for name := p.chainID(); name != ""; {
			info, err := s.sn.Stat(ctx, name)
			if err != nil {
				break
			}
			users[name]++
			chains[i] = append(chains[i], name)
			name = info.Parent
		}
	}
	for i := range list {
		list[i].SharedSize = 0
		for _, name := range chains[i] {
			if users[name] < 2 {
				continue
			}
			u, err := s.sn.Usage(ctx, name)
			if err != nil {
				return fmt.Errorf("size of layer %s: %w", name, err)
			}
			list[i].SharedSize += u.Size
		}
	}
	return nil
}

// filter compiles the filters of a list: keep tells whether an image passes and which of its tags are shown.
func (s *Service) filter(ctx context.Context, f map[string]map[string]bool) (keep func(*group) ([]string, bool), err error) {
	var tests []func(*group) bool
	var patterns []string
	for key, values := range f {
		for value := range values {
			test, err := s.oneFilter(ctx, key, value)
			if err != nil {
				return nil, err
			}
			if key == "reference" {
				patterns = append(patterns, value)
				continue
			}
			tests = append(tests, test)
		}
	}
	return func(g *group) ([]string, bool) {
		for _, test := range tests {
			if !test(g) {
				return nil, false
			}
		}
		if len(patterns) == 0 {
			return g.tags(), true
		}
		tags := []string{}
		for _, t := range g.tags() {
			if matchesAny(patterns, t) {
				tags = append(tags, t)
			}
		}
		return tags, len(tags) > 0
	}, nil
}

func (s *Service) oneFilter(ctx context.Context, key, value string) (func(*group) bool, error) {
	switch key {
	case "reference":
		if _, err := path.Match(value, ""); err != nil {
			return nil, errdefs.Invalid("invalid filter 'reference=%s'", value)
		}
		return nil, nil
	case "dangling":
		want, err := strconv.ParseBool(value)
		if err != nil {
			return nil, errdefs.Invalid("invalid filter 'dangling=[%s]'", value)
		}
		return func(g *group) bool { return (len(g.names) == 0) == want }, nil
	case "label", "label!":
		name, wanted, exact := strings.Cut(value, "=")
		return func(g *group) bool {
			if g.parts == nil {
				return false
			}
			have, ok := g.parts.config.Config.Labels[name]
			return (ok && (!exact || have == wanted)) == (key == "label")
		}, nil
	case "before", "since":
		return s.relative(ctx, key, value)
	case "until":
		limit, err := parseUntil(value)
		if err != nil {
			return nil, err
		}
		return func(g *group) bool { return g.created().Before(limit) }, nil
	}
	return nil, errdefs.Invalid("invalid filter '%s'", key)
}

// relative compares ages with another image's.
func (s *Service) relative(ctx context.Context, key, ref string) (func(*group) bool, error) {
	stored, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	other := &group{target: stored}
	if other.parts, err = s.best(ctx, stored); err != nil {
		return nil, err
	}
	if key == "before" {
		return func(g *group) bool { return g.created().Before(other.created()) }, nil
	}
	return func(g *group) bool { return g.created().After(other.created()) }, nil
}

// parseUntil reads a moment: a duration before now, seconds since 1970, or a date.
func parseUntil(v string) (time.Time, error) {
	if d, err := time.ParseDuration(v); err == nil {
		return time.Now().Add(-d), nil
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil && f >= 0 && f < 1e11 {
		return time.Unix(0, int64(f*float64(time.Second))), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, v, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errdefs.Invalid("invalid filter 'until=[%s]'", v)
}

// matchesAny tells whether a familiar reference fits one of the patterns, with or without its tag, as docker matches.
func matchesAny(patterns []string, ref string) bool {
	bare := ref
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		bare = ref[:i]
	}
	for _, p := range patterns {
		if ok, _ := path.Match(p, ref); ok {
			return true
		}
		if ok, _ := path.Match(p, bare); ok {
			return true
		}
	}
	return false
}
