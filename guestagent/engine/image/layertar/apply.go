//go:build linux

package layertar

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/image/erofs"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
)

// maxZstdWindow bounds the memory that one zstd stream may ask for.
const maxZstdWindow = 128 << 20

// Applied is what came of unpacking one layer. It wants Settle or Drop.
type Applied struct {
	DiffID digest.Digest
	// Implied are the directories that the layer has entries in but does not describe.
	Implied []string

	dir   string        // where it was unpacked to, or
	image *erofs.Writer // the image that it becomes, in
	file  *os.File
}

// Decompress inflates src in this process, whatever of gzip, zstd or nothing it is by its first bytes.
func Decompress(src io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(src, 64<<10)
	head, err := br.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch compression.DetectCompression(head) {
	case compression.Gzip:
		return gzip.NewReader(br)
	case compression.Zstd:
		d, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	default:
		return io.NopCloser(br), nil
	}
}

// inflate runs Decompress in a goroutine of its own, which ends when src does, when the reader closes, or with ctx.
func inflate(ctx context.Context, src io.Reader) *Pipe {
	out := NewPipe(ctx)
	go func() {
		r, err := Decompress(src)
		if err == nil {
			_, err = io.CopyBuffer(out, OnlyReader{r}, make([]byte, ChunkBytes))
			_ = r.Close()
		}
		out.CloseWithError(err)
	}()
	return out
}

// OnlyReader hides WriterTo, whose implementations write in smaller pieces.
type OnlyReader struct{ io.Reader }

// Apply unpacks the compressed tar stream src into what mounts describe: a bind mount of an empty directory.
// More than limit bytes of tar, or of files, are refused: a sparse file is larger than its part of the stream.
func Apply(ctx context.Context, mounts []mount.Mount, src io.Reader, limit int64) (Applied, error) {
	if len(mounts) != 1 || mounts[0].Type != "bind" {
		return Applied{}, errdefs.System("snapshotter gave %v where one bind mount was expected", mounts)
	}
	dir := mounts[0].Source
	got, err := apply(ctx, src, limit, func(ctx context.Context, in io.Reader, seen *dirsSeen) error {
		_, err := archive.Apply(ctx, dir, in, archive.WithConvertWhiteout(archive.OverlayConvertWhiteout), archive.WithFilter(seen.header))
		return err
	})
	got.dir = dir
	return got, err
}

// apply inflates and checks a layer, which write is given.
func apply(ctx context.Context, src io.Reader, limit int64, write func(context.Context, io.Reader, *dirsSeen) error) (Applied, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	plain := inflate(ctx, src)
	defer plain.CloseRead()
	digester := digest.Canonical.Digester()
	in := &bounded{r: io.TeeReader(plain, digester.Hash()), left: limit}
	seen := &dirsSeen{explicit: map[string]bool{}, implied: map[string]bool{}, room: limit}
	if err := write(ctx, in, seen); err != nil {
		return Applied{}, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return Applied{}, err
	}
	return Applied{DiffID: digester.Digest(), Implied: seen.left()}, nil
}

// bounded fails once more than left bytes were read.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n, tooLarge()
	}
	return n, err
}

func tooLarge() error { return errdefs.Invalid("layer is larger than allowed when unpacked") }

// dirsSeen looks at every entry before it is unpacked.
type dirsSeen struct {
	explicit map[string]bool // directories that the layer itself describes
	implied  map[string]bool // parents of entries, described or not
	room     int64           // bytes that files may still hold
}

// header notes parents and takes attributes away by which a layer would steer overlayfs itself.
func (d *dirsSeen) header(h *tar.Header) (bool, error) {
	for key := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok && steersOverlay(name) {
			delete(h.PAXRecords, key)
		}
	}
	if h.Size < 0 {
		return false, errdefs.Invalid("layer entry %q has a negative size", h.Name)
	}
	if d.room -= h.Size; d.room < 0 {
		return false, tooLarge()
	}
	name := path.Clean("/" + h.Name)
	if h.Typeflag == tar.TypeDir {
		d.explicit[name] = true
	}
	for dir := path.Dir(name); dir != "/" && !d.implied[dir]; dir = path.Dir(dir) {
		d.implied[dir] = true
	}
	return true, nil
}

// left are the directories that were implied and never described.
func (d *dirsSeen) left() []string {
	var list []string
	for dir := range d.implied {
		if !d.explicit[dir] {
			list = append(list, dir)
		}
	}
	return list
}

func steersOverlay(xattr string) bool {
	return strings.HasPrefix(xattr, "trusted.overlay.") || strings.HasPrefix(xattr, "user.overlay.")
}
