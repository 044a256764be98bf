//go:build linux

package build

import (
	"context"
	"path/filepath"

	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/containerd/containerd/v2/core/diff/apply"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/cache/metadata"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/exporter"
	"github.com/moby/buildkit/exporter/containerimage"
	"github.com/moby/buildkit/session"
	ctdsnapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/source/http"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/util/tracing"
	"github.com/moby/buildkit/worker/base"
	"github.com/moby/buildkit/worker/label"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageWorker is BuildKit's worker on the engine's stores. It differs from the original in where a base image comes
// from (one that is here is taken, as docker does) and in how a result becomes an image.
type imageWorker struct {
	*base.Worker
	o        Options
	writer   *containerimage.ImageWriter
	contexts *contexts
}

func newWorker(ctx context.Context, dir string, o Options, x executor.Executor) (*imageWorker, error) {
	records, err := metadata.NewStore(filepath.Join(dir, "metadata_v2.db"))
	if err != nil {
		return nil, err
	}
	w := &imageWorker{o: o, contexts: newContexts(tracing.DefaultTransport)}
	opt, err := workerOptions(dir, o)
	if err == nil {
		opt.MetadataStore, opt.Executor = records, x
		w.Worker, err = base.NewWorker(ctx, opt)
	}
	if err == nil {
		w.writer, err = containerimage.NewImageWriter(containerimage.WriterOpt{
			Snapshotter: opt.Snapshotter, ContentStore: opt.ContentStore, Applier: opt.Applier, Differ: opt.Differ,
		})
	}
	var web *http.Source
	if err == nil {
		web, err = http.NewSource(http.Opt{CacheAccessor: w.CacheManager(), Transport: w.contexts})
	}
	if err != nil {
		_ = records.Close() // nothing has been written
		return nil, err
	}
	w.SourceManager.Register(localFirst{w.ImageSource})
	w.SourceManager.Register(web)
	w.HTTPSource = web
	return w, nil
}

func workerOptions(dir string, o Options) (base.WorkerOpt, error) {
	id, err := base.ID(dir)
	if err != nil {
		return base.WorkerOpt{}, err
	}
	s := o.Images.Stores()
	blobs := ctdsnapshot.NewContentStore(s.Content, s.Namespace)
	labels := map[string]string{label.Executor: "berth", label.Snapshotter: s.SnapshotterKey}
	for _, a := range o.HostGateways { // where buildx looks for what host-gateway stands for
		labels["org.mobyproject.buildkit.worker.moby.host-gateway-ip"] = a.String()
		if a.Is4() {
			break
		}
	}
	return base.WorkerOpt{
		ID: id, Root: dir, Labels: labels,
		Platforms:       []ocispec.Platform{platforms.Normalize(platforms.DefaultSpec())},
		GCPolicy:        gcPolicy(dir),
		BuildkitVersion: client.BuildkitVersion{Package: "github.com/moby/buildkit", Version: kitVersion(), Revision: buildinfo.Commit()},
		Snapshotter:     ctdsnapshot.NewSnapshotter(s.SnapshotterKey, s.Snapshotter, s.Namespace, nil),
		ContentStore:    blobs, Applier: apply.NewFileSystemApplier(blobs), Differ: walking.NewWalkingDiff(blobs),
		ImageStore: imageStore{Store: s.Images, namespace: s.Namespace, images: o.Images}, RegistryHosts: s.Hosts,
		LeaseManager: leaseutil.WithNamespace(s.Leases, s.Namespace), GarbageCollect: s.Collect,
		MountPoolRoot: filepath.Join(dir, "cachemounts"),
	}, nil
}

// Exporter gives docker's own exporter "moby", and "image", which is the same here: both put the result among the
// engine's images. The others are BuildKit's.
func (w *imageWorker) Exporter(name string, sm *session.Manager) (exporter.Exporter, error) {
	switch name {
	case exporterMoby, client.ExporterImage:
		return w.imageExporter(sm)
	}
	return w.Worker.Exporter(name, sm)
}

// ResolveSourceMetadata takes an image that is here where nothing else is asked for.
func (w *imageWorker) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt, sm *session.Manager, jc solver.JobContext) (*sourceresolver.MetaResponse, error) {
	if o := opt.ImageOpt; o != nil && (o.ResolveMode == "" || o.ResolveMode == pb.AttrImageResolveModeDefault) {
		local := *o
		local.ResolveMode = pb.AttrImageResolveModePreferLocal
		opt.ImageOpt = &local
	}
	return w.Worker.ResolveSourceMetadata(ctx, op, opt, sm, jc)
}
