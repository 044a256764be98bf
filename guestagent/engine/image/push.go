//go:build linux

package image

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
	regclient "github.com/berthhq/berth/guestagent/engine/image/registry"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/pkg/labels"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// ImagePush sends an image to its registry, or all tags of a repository where ref has none. Progress goes to w in
// docker's form. platform nil sends the whole index where all of it is here, else this machine's part.
func (s *Service) ImagePush(ctx context.Context, ref string, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return errdefs.Invalid("%w", err).WithHint("%q cannot be the name of an image", ref)
	}
	if !reference.IsNameOnly(named) {
		return s.pushOne(ctx, named, platform, auth, w)
	}
	list, err := s.images.List(s.ctx(ctx))
	if err != nil {
		return fmt.Errorf("listing images: %w", err)
	}
	found := false
	for _, img := range list {
		other, err := reference.ParseNormalizedNamed(img.Name)
		if err != nil || isDangling(img.Name) || other.Name() != named.Name() {
			continue
		}
		found = true
		if err := s.pushOne(ctx, other, platform, auth, w); err != nil {
			return err
		}
	}
	if !found {
		return errdefs.NotFound("An image does not exist locally with the tag: %s", reference.FamiliarName(named))
	}
	return nil
}

// pushOne sends what one name stands for: what is there already is not sent again, and layers that another repository of
// the registry has are mounted from there.
func (s *Service) pushOne(ctx context.Context, named reference.Named, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	tracker := docker.NewInMemoryTracker()
	p := &push{
		s: s, named: named, out: progress.New(w), tracker: tracker,
		slots: make(chan struct{}, s.cfg.MaxConcurrentUploads),
	}
	access := regclient.Access{
		Ref: reference.FamiliarString(named), Repository: reference.FamiliarName(named), LoggedIn: regclient.HasCredentials(auth), Push: true,
	}
	ctx = s.ctx(ctx)
	p.out.Line("", fmt.Sprintf("The push refers to repository [%s]", named.Name()))
	stored, err := s.images.Get(ctx, named.String())
	if cerrdefs.IsNotFound(err) {
		return errdefs.NotFound("tag does not exist: %s", reference.FamiliarString(named))
	}
	if err != nil {
		return fmt.Errorf("image %s: %w", access.Ref, err)
	}
	target, err := p.target(ctx, stored, platform)
	if err != nil {
		return err
	}
	r := s.registry.TrackedResolver(ctx, reference.Domain(named), auth, tracker)
	if p.pusher, err = r.Pusher(ctx, named.String()+"@"+target.Digest.String()); err != nil {
		return regclient.Translate(err, access)
	}
	if err := p.run(ctx, target); err != nil {
		return regclient.Translate(err, access)
	}
	p.tell(tagOf(named), stored.Target, target, platform)
	return nil
}

// tell ends the progress with what was pushed.
func (p *push) tell(tag string, stored, target ocispec.Descriptor, platform *ocispec.Platform) {
	p.out.Line("", fmt.Sprintf("%s: digest: %s size: %d", tag, target.Digest, target.Size))
	p.out.Aux(struct {
		Tag    string
		Digest string
		Size   int64
	}{tag, target.Digest.String(), target.Size})
	if platform == nil && stored.Digest != target.Digest {
		p.out.Aux(struct {
			Instead  bool               `json:"manifestPushedInsteadOfIndex"`
			Index    ocispec.Descriptor `json:"originalIndex"`
			Manifest ocispec.Descriptor `json:"selectedManifest"`
		}{true, stored, target})
	}
}

// push is one push under way.
type push struct {
	s       *Service
	named   reference.Named
	pusher  remotes.Pusher
	tracker docker.StatusTracker
	out     *progress.Writer
	slots   chan struct{}
}

// target chooses what to send of an image.
func (p *push) target(ctx context.Context, stored images.Image, platform *ocispec.Platform) (ocispec.Descriptor, error) {
	target := ocispec.Descriptor{MediaType: stored.Target.MediaType, Digest: stored.Target.Digest, Size: stored.Target.Size}
	if platform == nil && (!images.IsIndexType(target.MediaType) || p.s.wholeIndex(ctx, target)) {
		return target, nil
	}
	img, err := p.s.pickFor(ctx, stored, familiar(stored.Name), platform)
	if err != nil {
		return target, err
	}
	if platform != nil && !p.s.strict(platform).Match(img.config.Platform) {
		return target, p.s.noPlatform(familiar(stored.Name), platform)
	}
	return ocispec.Descriptor{MediaType: img.desc.MediaType, Digest: img.desc.Digest, Size: img.desc.Size}, nil
}

// run sends a target's content from the layers up, so that the registry never sees a name for what it lacks.
func (p *push) run(ctx context.Context, target ocispec.Descriptor) error {
	list := []ocispec.Descriptor{target}
	if images.IsIndexType(target.MediaType) {
		var idx ocispec.Index
		if err := p.s.readJSON(ctx, target, maxManifestBytes, &idx); err != nil {
			return err
		}
		list = idx.Manifests
	}
	var blobs []ocispec.Descriptor
	for _, d := range list {
		var m ocispec.Manifest
		if err := p.s.readJSON(ctx, d, maxManifestBytes, &m); err != nil {
			return err
		}
		blobs = append(blobs, m.Layers...)
		blobs = append(blobs, m.Config)
	}
	if err := p.blobs(ctx, blobs); err != nil {
		return err
	}
	for _, d := range list {
		if err := p.send(ctx, d, false); err != nil {
			return err
		}
	}
	if images.IsIndexType(target.MediaType) {
		return p.send(ctx, target, false)
	}
	return nil
}

func (p *push) blobs(ctx context.Context, blobs []ocispec.Descriptor) error {
	eg, ctx := errgroup.WithContext(ctx)
	seen := map[string]bool{}
	for _, d := range blobs {
		if seen[d.Digest.String()] || images.IsNonDistributable(d.MediaType) {
			continue
		}
		seen[d.Digest.String()] = true
		visible := images.IsLayerType(d.MediaType)
		if visible {
			p.out.State(line(d), "Preparing")
		}
		eg.Go(func() error {
			release, err := take(ctx, p.slots)
			if err != nil {
				return err
			}
			defer release()
			return p.send(ctx, d, visible)
		})
	}
	return eg.Wait()
}

func line(d ocispec.Descriptor) string { return d.Digest.Encoded()[:12] }

// send brings one blob or manifest to the registry; visible ones have a line of progress.
func (p *push) send(ctx context.Context, d ocispec.Descriptor, visible bool) error {
	d, err := p.withSources(ctx, d)
	if err != nil {
		return err
	}
	cw, err := p.pusher.Push(ctx, d)
	if cerrdefs.IsAlreadyExists(err) {
		if visible {
			p.out.State(line(d), p.whereFrom(ctx, d))
		}
		return p.note(ctx, d)
	}
	if err != nil {
		return err
	}
	defer cw.Close()
	ra, err := p.s.content.ReaderAt(ctx, d)
	if err != nil {
		return fmt.Errorf("reading %s %s: %w", kindOf(d), d.Digest, err)
	}
	defer ra.Close()
	r := &sentReader{SectionReader: io.NewSectionReader(ra, 0, d.Size), tell: func(n int64) {
		if visible {
			p.out.Count(line(d), "Pushing", n, d.Size)
		}
	}}
	if err := content.Copy(ctx, cw, r, d.Size, d.Digest); err != nil {
		return err
	}
	if visible {
		p.out.State(line(d), "Pushed")
	}
	return p.note(ctx, d)
}

// note keeps that the repository has a blob now, so that others of its registry can mount it from there.
func (p *push) note(ctx context.Context, d ocispec.Descriptor) error {
	if images.IsManifestType(d.MediaType) || images.IsIndexType(d.MediaType) {
		return nil
	}
	return p.s.noteSource(ctx, p.named, d)
}

// sentReader tells how far a blob was read; it can be rewound for another attempt.
type sentReader struct {
	*io.SectionReader
	tell func(int64)
}

func (r *sentReader) Read(b []byte) (int, error) {
	n, err := r.SectionReader.Read(b)
	if at, serr := r.Seek(0, io.SeekCurrent); serr == nil {
		r.tell(at)
	}
	return n, err
}

// withSources notes on a blob's descriptor which repositories of this registry have it, for a mount.
func (p *push) withSources(ctx context.Context, d ocispec.Descriptor) (ocispec.Descriptor, error) {
	info, err := p.s.content.Info(ctx, d.Digest)
	if err != nil {
		return d, fmt.Errorf("%s %s is not here: %w", kindOf(d), d.Digest, err)
	}
	d.Annotations, d.URLs = nil, nil
	for k, v := range info.Labels {
		if strings.HasPrefix(k, labels.LabelDistributionSource) {
			if d.Annotations == nil {
				d.Annotations = map[string]string{}
			}
			d.Annotations[k] = v
		}
	}
	return d, nil
}

// whereFrom says why a blob did not have to be sent.
func (p *push) whereFrom(ctx context.Context, d ocispec.Descriptor) string {
	st, err := p.tracker.GetStatus(remotes.MakeRefKey(ctx, d))
	if err == nil && st.PushStatus.MountedFrom != "" {
		from := st.PushStatus.MountedFrom
		if named, err := reference.ParseNormalizedNamed(from); err == nil {
			from = reference.Path(named)
		}
		return "Mounted from " + from
	}
	return "Layer already exists"
}
