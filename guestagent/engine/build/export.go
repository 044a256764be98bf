//go:build linux

package build

import (
	"context"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/exporter"
	"github.com/moby/buildkit/exporter/containerimage"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/util/progress"
)

// exporterMoby is the exporter that docker's clients ask for by default.
const exporterMoby = "moby"

// imageExporter writes an image with BuildKit's exporter and then makes it one of the engine's.
type imageExporter struct {
	exporter.Exporter
	w *imageWorker
}

func (w *imageWorker) imageExporter(sm *session.Manager) (exporter.Exporter, error) {
	e, err := containerimage.New(containerimage.Opt{
		SessionManager: sm, ImageWriter: w.writer, Images: unnamed{}, RegistryHosts: w.RegistryHosts, LeaseManager: w.LeaseManager(),
	})
	return imageExporter{e, w}, err
}

// Resolve normalises the names. Errors: Invalid for a name that is none.
func (e imageExporter) Resolve(ctx context.Context, id int, attrs map[string]string) (exporter.ExporterInstance, error) {
	own := map[string]string{}
	for k, v := range attrs {
		own[k] = v
	}
	if name := own[string(exptypes.OptKeyName)]; name != "*" {
		names, err := tagNames(strings.Split(name, ","))
		if err != nil {
			return nil, err
		}
		own[string(exptypes.OptKeyName)] = strings.Join(names, ",")
	}
	for _, k := range []exptypes.ImageExporterOptKey{exptypes.OptKeyUnpack, exptypes.OptKeyDanglingPrefix, exptypes.OptKeyDanglingEmptyOnly, exptypes.OptKeyNameCanonical} {
		delete(own, string(k)) // the engine's own ways
	}
	inst, err := e.Exporter.Resolve(ctx, id, own)
	return imageInstance{inst, e.w}, err
}

// tagNames normalises names, each with a tag and once. Errors: Invalid for a name that is none or has a digest.
func tagNames(names []string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if n == "" {
			continue
		}
		named, err := reference.ParseNormalizedNamed(n)
		if err != nil {
			return nil, errdefs.Invalid("invalid tag %q: %w", n, err)
		}
		if _, ok := named.(reference.Digested); ok {
			return nil, errdefs.Invalid("build tag cannot contain a digest")
		}
		full := reference.TagNameOnly(named).String()
		if !seen[full] {
			seen[full] = true
			out = append(out, full)
		}
	}
	return out, nil
}

// imageInstance is one export.
type imageInstance struct {
	exporter.ExporterInstance
	w *imageWorker
}

func (i imageInstance) Export(ctx context.Context, src *exporter.Source, info exporter.ExportBuildInfo) (map[string]string, exporter.FinalizeFunc, exporter.DescriptorReference, error) {
	resp, finalize, ref, err := i.ExporterInstance.Export(ctx, src, info)
	if err != nil || i.Attrs()[string(exptypes.OptKeyStore)] == "false" {
		return resp, finalize, ref, err
	}
	if err := i.adopt(ctx, resp, ref); err != nil {
		_ = ref.Release() // the error that matters is the first
		return nil, nil, nil, err
	}
	return resp, finalize, ref, nil
}

// adopt makes an image of what was exported, while BuildKit still holds its content.
func (i imageInstance) adopt(ctx context.Context, resp map[string]string, ref exporter.DescriptorReference) error {
	var names []string
	if n := resp[exptypes.ExporterImageNameKey]; n != "" {
		names = strings.Split(n, ",")
	}
	target := ref.Descriptor()
	target.Annotations = nil // they were for the exporter
	what := strings.Join(names, ", ")
	if what == "" {
		what = target.Digest.String()
	}
	done := progress.OneOff(ctx, "unpacking to "+what)
	if err := i.w.o.Images.Adopt(ctx, names, target); err != nil {
		return done(err)
	}
	i.w.o.tell(names, target.Digest.String())
	return done(nil)
}

// tell publishes a new image and its names, as docker does.
func (o Options) tell(names []string, id string) {
	o.Bus.Publish("image", "create", id, map[string]string{"name": id})
	for _, n := range names {
		if named, err := reference.ParseNormalizedNamed(n); err == nil {
			o.Bus.Publish("image", "tag", id, map[string]string{"name": reference.FamiliarString(named)})
		}
	}
}

// unnamed stands for an image store while BuildKit exports: names are given by the engine once the content is whole.
type unnamed struct{ images.Store }

func (unnamed) Update(_ context.Context, img images.Image, _ ...string) (images.Image, error) {
	return img, nil
}
