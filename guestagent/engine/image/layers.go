//go:build linux

package image

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/snapshots"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// layerSet is the layers of one image on their way to committed snapshots. All layers are fetched and unpacked at the
// same time, each into a snapshot without a parent; they are committed in order, each then getting its parent.
type layerSet struct {
	s         *Service
	f         remotes.Fetcher // nil where all content is here already
	out       *progress.Writer
	layers    []ocispec.Descriptor
	diffIDs   []digest.Digest
	chains    []digest.Digest
	committed []chan struct{} // closed when the snapshot of that chain exists
	downloads chan struct{}
}

func (s *Service) newLayerSet(f remotes.Fetcher, p *parts, out *progress.Writer) *layerSet {
	ls := &layerSet{
		s: s, f: f, out: out, layers: p.manifest.Layers, diffIDs: p.config.RootFS.DiffIDs,
		downloads: make(chan struct{}, s.cfg.MaxConcurrentDownloads),
	}
	ls.chains = identity.ChainIDs(append([]digest.Digest(nil), ls.diffIDs...))
	for range ls.chains {
		ls.committed = append(ls.committed, make(chan struct{}))
	}
	return ls
}

func (ls *layerSet) line(i int) string { return ls.layers[i].Digest.Encoded()[:12] }

// run brings all layers in and unpacks them; the context must hold a lease.
func (ls *layerSet) run(ctx context.Context) error {
	if err := ls.keepExisting(ctx); err != nil {
		return err
	}
	var fresh []string
	for i := range ls.layers {
		if !ls.ready(ctx, i) {
			ls.out.State(ls.line(i), "Pulling fs layer")
			fresh = append(fresh, ls.chains[i].String())
		}
	}
	if len(fresh) > 0 {
		if err := ls.s.unsynced.Begin(fresh); err != nil {
			return fmt.Errorf("noting layers that are not on disk yet: %w", err)
		}
		defer ls.s.unsynced.Finish(fresh)
	}
	eg, ctx := errgroup.WithContext(ctx)
	for i := range ls.layers {
		eg.Go(func() error { return ls.layer(ctx, i) })
	}
	return eg.Wait()
}

// keepExisting puts the longest chain that is unpacked already under the lease.
func (ls *layerSet) keepExisting(ctx context.Context) error {
	id, ok := leases.FromContext(ctx)
	if !ok {
		return nil
	}
	for i := len(ls.chains) - 1; i >= 0; i-- {
		if _, err := ls.s.sn.Stat(ctx, ls.chains[i].String()); err != nil {
			continue
		}
		res := leases.Resource{ID: ls.chains[i].String(), Type: "snapshots/" + ls.s.driver}
		if err := ls.s.leases.AddResource(ctx, leases.Lease{ID: id}, res); err != nil {
			return fmt.Errorf("keeping snapshot %s: %w", ls.chains[i], err)
		}
		return nil
	}
	return nil
}

// ready tells whether a layer is here, fetched and unpacked.
func (ls *layerSet) ready(ctx context.Context, i int) bool {
	_, err := ls.s.sn.Stat(ctx, ls.chains[i].String())
	return err == nil && ls.s.present(ctx, ls.layers[i])
}

// layer brings one layer in, from wherever it stands to a committed snapshot.
func (ls *layerSet) layer(ctx context.Context, i int) error {
	unlock, err := ls.s.locks.lock(ctx, "chain:"+ls.chains[i].String())
	if err != nil {
		return err
	}
	defer unlock()
	if ls.ready(ctx, i) {
		ls.out.Line(ls.line(i), "Already exists")
		close(ls.committed[i])
		return nil
	}
	if _, err := ls.s.sn.Stat(ctx, ls.chains[i].String()); err == nil {
		// Unpacked for another image whose compressed layers differ or are gone: a push would miss them.
		close(ls.committed[i])
		return ls.download(ctx, i)
	}
	key, got, err := ls.fetchAndUnpack(ctx, i)
	if err != nil {
		return err
	}
	if err := ls.finish(ctx, i, key, got); err != nil {
		got.Drop()
		ls.s.discard(ctx, key)
		return err
	}
	close(ls.committed[i])
	ls.out.State(ls.line(i), "Pull complete")
	return nil
}

// finish commits a layer that is unpacked, on top of those below it.
func (ls *layerSet) finish(ctx context.Context, i int, key string, got layertar.Applied) error {
	if i > 0 {
		select {
		case <-ls.committed[i-1]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var lowers []string
	var err error
	if i > 0 && len(got.Implied) > 0 {
		lowers, err = ls.s.lowers(ctx, ls.chains[i-1].String())
	}
	if err == nil {
		err = got.Settle(lowers)
	}
	if err != nil {
		return applyError(ls.layers[i].Digest, err)
	}
	return ls.commit(ctx, i, key)
}

func (ls *layerSet) commit(ctx context.Context, i int, key string) error {
	opts := []snapshots.Opt{}
	if i > 0 {
		opts = append(opts, snapshots.WithParent(ls.chains[i-1].String()))
	}
	err := ls.s.sn.Commit(ctx, ls.chains[i].String(), key, opts...)
	if err != nil && !cerrdefs.IsAlreadyExists(err) {
		return fmt.Errorf("committing layer %s: %w", ls.layers[i].Digest, err)
	}
	if err != nil {
		ls.s.discard(ctx, key)
	}
	return nil
}

// download fetches a layer without unpacking it.
func (ls *layerSet) download(ctx context.Context, i int) error {
	release, err := take(ctx, ls.downloads)
	if err != nil {
		return err
	}
	defer release()
	t := &transfer{s: ls.s, f: ls.f, out: ls.out, desc: ls.layers[i], begun: func(bool) {}}
	return t.run(ctx)
}

// fetchAndUnpack brings a layer into a snapshot of its own, while it arrives where possible.
func (ls *layerSet) fetchAndUnpack(ctx context.Context, i int) (key string, got layertar.Applied, err error) {
	if ls.f == nil || ls.s.present(ctx, ls.layers[i]) {
		if ls.f != nil {
			if err := ls.download(ctx, i); err != nil { // puts it under the lease
				return "", got, err
			}
		}
		return ls.unpackStored(ctx, i)
	}
	release, err := take(ctx, ls.downloads)
	if err != nil {
		return "", got, err
	}
	streams := make(chan bool, 1)
	t := &transfer{s: ls.s, f: ls.f, out: ls.out, desc: ls.layers[i], sink: layertar.NewPipe(ctx), begun: func(s bool) { streams <- s }}
	arrived := make(chan error, 1)
	go func() {
		defer release()
		arrived <- t.run(ctx)
	}()
	if !<-streams {
		t.sink.CloseRead() // else the transfer waits, when the pipe is full, for a reader that never comes
		if err := <-arrived; err != nil {
			return "", got, err
		}
		return ls.unpackStored(ctx, i)
	}
	key, got, err = ls.unpack(ctx, i, t.sink)
	t.sink.CloseRead()
	if terr := <-arrived; terr != nil {
		// What the registry did explains what unpacking saw.
		got.Drop()
		ls.s.discard(ctx, key)
		return "", got, terr
	}
	return key, got, err
}

// unpackStored unpacks a layer that is in the content store.
func (ls *layerSet) unpackStored(ctx context.Context, i int) (key string, got layertar.Applied, err error) {
	release, err := take(ctx, ls.s.unpacks)
	if err != nil {
		return "", got, err
	}
	defer release()
	ra, err := ls.s.content.ReaderAt(ctx, ls.layers[i])
	if err != nil {
		return "", got, fmt.Errorf("reading layer %s: %w", ls.layers[i].Digest, err)
	}
	defer ra.Close()
	counted := &countingReader{r: content.NewReader(ra), tell: func(n int64) {
		ls.out.Count(ls.line(i), "Extracting", n, ls.layers[i].Size)
	}}
	return ls.unpack(ctx, i, counted)
}

// unpack writes a layer into a new snapshot, which it removes again where that fails.
func (ls *layerSet) unpack(ctx context.Context, i int, src io.Reader) (key string, got layertar.Applied, err error) {
	key = extractPrefix + randomName() + " " + ls.chains[i].String()
	mounts, err := ls.s.sn.Prepare(ctx, key, "")
	if err != nil {
		return "", got, fmt.Errorf("preparing layer %s: %w", ls.layers[i].Digest, err)
	}
	got, err = ls.s.apply(ctx, mounts, src)
	if err == nil {
		err = checkDiffID(got, ls.diffIDs[i], ls.layers[i].Digest)
	} else {
		err = applyError(ls.layers[i].Digest, err)
	}
	if err != nil {
		got.Drop()
		ls.s.discard(ctx, key)
		return "", got, err
	}
	return key, got, nil
}

// apply unpacks a layer into a new snapshot in the way of the driver.
func (s *Service) apply(ctx context.Context, mounts []mount.Mount, src io.Reader) (layertar.Applied, error) {
	if s.erofs == nil {
		return layertar.Apply(ctx, mounts, src, s.cfg.MaxLayerBytes)
	}
	file, err := s.erofs.LayerFile(mounts)
	if err != nil {
		return layertar.Applied{}, err
	}
	return layertar.ApplyImage(ctx, file, src, s.cfg.MaxLayerBytes)
}

// discard removes a snapshot that will not be committed. What cannot be removed now is when the engine starts next.
func (s *Service) discard(ctx context.Context, key string) {
	if key == "" {
		return
	}
	if err := s.sn.Remove(context.WithoutCancel(ctx), key); err == nil {
		s.gc.soon()
	}
}

// take waits for a token of a semaphore.
func take(ctx context.Context, sem chan struct{}) (release func(), err error) {
	select {
	case sem <- struct{}{}:
		return func() { <-sem }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type countingReader struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.tell(c.n)
	return n, err
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// checkDiffID compares what was unpacked with what the configuration promised.
func checkDiffID(got layertar.Applied, want, blob digest.Digest) error {
	if got.DiffID != want {
		return errdefs.Invalid("layer %s does not match its image's configuration: unpacked %s, expected %s", blob, got.DiffID, want)
	}
	return nil
}

func applyError(blob digest.Digest, err error) error {
	return fmt.Errorf("failed to register layer: unpacking %s: %w", blob, err)
}
