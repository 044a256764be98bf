//go:build linux

package image

import (
	"context"
	"io"
	"runtime"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/berthhq/berth/internal/errdefs"
)

// ImageImport makes an image of a tar of files, compressed or not, and tells its ID to w as docker does. name is a
// reference or empty; platform nil is this machine's.
func (s *Service) ImageImport(ctx context.Context, tar io.Reader, name, message string, platform *ocispec.Platform, w io.Writer) error {
	p := platforms.Platform{OS: "linux", Architecture: runtime.GOARCH}
	if platform != nil {
		p = *platform
	}
	plain, err := layertar.Decompress(tar)
	if err != nil {
		return errdefs.Invalid("reading the archive: %w", err)
	}
	defer plain.Close()
	if message == "" {
		message = "Imported from -"
	}
	id, err := s.Make(ctx, Draft{
		Name: name, Platform: p, History: ocispec.History{Comment: message},
		Layer: func(_ context.Context, to io.Writer) error {
			_, err := io.Copy(to, plain)
			return err
		},
	})
	if err != nil {
		return err
	}
	progress.New(w).Line("", id)
	return nil
}
