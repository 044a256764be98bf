//go:build linux

package build

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/util/archiveutil"
)

// sniffed is how much of a download is looked at to tell an archive from a Dockerfile, in bytes.
const sniffed = 1024

// context is the context of a classic build: what the client sends, or what is at the address that it names.
func (b *Builder) context(ctx context.Context, r *Request) (*buildContext, error) {
	body := r.Body
	switch {
	case r.Remote == "":
	case r.Remote == "client-session":
		return nil, errdefs.Invalid("a context in a session is for BuildKit: version=2")
	case gitAddress.MatchString(r.Remote):
		return cloneContext(ctx, b.o.Layout, r.Remote, r.Dockerfile)
	case strings.HasPrefix(r.Remote, "http://"), strings.HasPrefix(r.Remote, "https://"):
		var err error
		if body, err = download(ctx, r); err != nil {
			return nil, err
		}
	default:
		return nil, errdefs.Invalid("remoteURL (%s) could not be recognized as URL", r.Remote)
	}
	return unpackContext(b.o.Layout, body, r.Dockerfile)
}

// download gives what is at a web address: an archive, or a Dockerfile, which becomes one.
func download(ctx context.Context, r *Request) (io.Reader, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Remote, nil)
	if err != nil {
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	context.AfterFunc(ctx, func() { resp.Body.Close() }) // the context ends with the build
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, errdefs.Invalid("failed to GET %s with status %s", r.Remote, resp.Status)
	}
	in := bufio.NewReaderSize(resp.Body, sniffed)
	head, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	if archiveutil.IsArchive(head) {
		return in, nil
	}
	r.Dockerfile = defaultDockerfile
	return onlyDockerfile(in)
}

// onlyDockerfile makes a context of a Dockerfile alone.
func onlyDockerfile(in io.Reader) (io.Reader, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxDockerfile))
	if err != nil {
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	if err = t.WriteHeader(&tar.Header{Name: defaultDockerfile, Mode: 0o600, Size: int64(len(text))}); err == nil {
		_, err = t.Write(text)
	}
	return &out, errors.Join(err, t.Close())
}
