//go:build linux

package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds what a zstd archive may ask to be kept in memory, in bytes.
const maxWindow = 128 << 20

// plain gives an archive without its compression, which its first bytes tell. Everything is done in this process: a
// helper program could be one of the container's, or be given its files (GO-2026-5746). Errors: Invalid.
func plain(in io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReader(in)
	magic, err := b.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errdefs.Invalid("reading the archive: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, errdefs.Invalid("reading the archive: %w", err)
		}
		return z, nil
	case bytes.HasPrefix(magic, []byte("BZh")) && len(magic) == 10 && bytes.Equal(magic[4:], []byte("1AY&SY")):
		return io.NopCloser(bzip2.NewReader(b)), nil
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, errdefs.Invalid("reading the archive: %w", err)
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return nil, errdefs.Invalid("xz archives are not read by this engine").WithHint("compress it with gzip or zstd, or not at all")
	}
	return io.NopCloser(b), nil
}
