//go:build linux

package image

import (
	"context"
	"io"
	"runtime"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/berthhq/berth/guestagent/engine/image/changes"
	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/berthhq/berth/internal/errdefs"
)

// ImportOptions say what an archive of files becomes.
type ImportOptions struct {
	Source        string            // an address that the archive is fetched from, or "-" for one that is given
	Name, Message string            // Name is a reference or empty
	Platform      *ocispec.Platform // nil is this machine's
	Changes       []string          // instructions of a Dockerfile
}

// ImageImport makes an image of a tar of files, compressed or not, tells its ID to w as docker does, and gives it.
// Errors: Invalid for changes that are none and for what is no archive; what the address answered.
func (s *Service) ImageImport(ctx context.Context, tar io.Reader, o ImportOptions, w io.Writer) (string, error) {
	p := platforms.Platform{OS: "linux", Architecture: runtime.GOARCH}
	if o.Platform != nil {
		p = *o.Platform
	}
	if o.Message == "" {
		o.Message = "Imported from " + o.Source
	}
	cfg, err := changes.Apply(nil, o.Changes)
	if err != nil {
		return "", err
	}
	out := progress.New(w)
	if o.Source != "-" {
		body, err := s.openURL(ctx, o.Source, out)
		if err != nil {
			return "", err
		}
		defer body.Close()
		tar = body
	}
	plain, err := layertar.Decompress(tar)
	if err != nil {
		return "", errdefs.Invalid("reading the archive: %w", err)
	}
	defer plain.Close()
	id, err := s.Make(ctx, Draft{
		Name: o.Name, Platform: p, History: ocispec.History{Comment: o.Message}, Config: ConfigOf(cfg),
		Layer: func(_ context.Context, to io.Writer) error { return copyAtMost(to, plain, s.cfg.MaxLayerBytes) },
	})
	if err != nil {
		return "", err
	}
	out.Line("", id)
	return id, nil
}

func copyAtMost(to io.Writer, from io.Reader, limit int64) error {
	n, err := io.Copy(to, io.LimitReader(from, limit+1))
	if err == nil && n > limit {
		return errdefs.Invalid("the archive holds more than the %d bytes that are allowed", limit)
	}
	return err
}
