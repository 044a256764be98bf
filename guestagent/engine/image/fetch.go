//go:build linux

package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/berthhq/berth/guestagent/engine/image/stall"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/remotes"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	cerrdefs "github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxAttempts is how often a transfer is begun again without a byte of progress, as docker does.
const maxAttempts = 5

// fetchSmall brings in a manifest or configuration, whose size was checked against its bound.
func (s *Service) fetchSmall(ctx context.Context, f remotes.Fetcher, desc ocispec.Descriptor) error {
	unlock, err := s.locks.lock(ctx, "blob:"+desc.Digest.String())
	if err != nil {
		return err
	}
	defer unlock()
	var b []byte
	if !s.present(ctx, desc) {
		if b, err = s.readSmall(ctx, f, desc); err != nil {
			return err
		}
	}
	// For content that is here already WriteBlob puts it under the lease, and reads nothing.
	err = content.WriteBlob(ctx, s.content, "small-"+desc.Digest.String(), bytes.NewReader(b), desc)
	if err != nil {
		return fmt.Errorf("storing %s %s: %w", kindOf(desc), desc.Digest, err)
	}
	return nil
}

func (s *Service) readSmall(ctx context.Context, f remotes.Fetcher, desc ocispec.Descriptor) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		b, err := s.readOnce(ctx, f, desc)
		if err == nil {
			if desc.Digest.Algorithm().FromBytes(b) != desc.Digest {
				return nil, errdefs.Invalid("%s verification failed for digest %s", kindOf(desc), desc.Digest)
			}
			return b, nil
		}
		if attempt == maxAttempts || !worthRetrying(err) {
			return nil, err
		}
		if err := s.pause(ctx, attempt, nil); err != nil {
			return nil, err
		}
	}
}

func (s *Service) readOnce(ctx context.Context, f remotes.Fetcher, desc ocispec.Descriptor) ([]byte, error) {
	ctx, dog := stall.Watch(ctx, s.cfg.Stall)
	defer dog.Stop()
	rc, err := f.Fetch(ctx, desc)
	if err != nil {
		return nil, dog.Cause(ctx, err)
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(dog.Reader(rc), desc.Size+1))
	if err != nil {
		return nil, dog.Cause(ctx, err)
	}
	if int64(len(b)) != desc.Size {
		return nil, errdefs.Invalid("%s %s: %d bytes announced, %d received", kindOf(desc), desc.Digest, desc.Size, len(b))
	}
	return b, nil
}

// transfer is one layer on its way into the content store.
type transfer struct {
	s    *Service
	f    remotes.Fetcher
	out  *progress.Writer
	desc ocispec.Descriptor
	// begun is told once whether the bytes will pass through sink, from the first on; otherwise the layer is to be
	// read from the store when run has returned.
	begun func(streams bool)
	sink  *layertar.Pipe
}

func (t *transfer) line() string { return t.desc.Digest.Encoded()[:12] }

// run returns when the layer is in the store, verified. A broken transfer keeps what it has for the next one.
func (t *transfer) run(ctx context.Context) (err error) {
	streams := false
	defer func() {
		if streams {
			t.sink.CloseWithError(err)
		}
	}()
	unlock, err := t.s.locks.lock(ctx, "blob:"+t.desc.Digest.String())
	if err != nil {
		t.begun(false)
		return err
	}
	defer unlock()
	for fresh := false; ; fresh = true {
		cw, err := content.OpenWriter(ctx, t.s.content, content.WithRef(t.ref()), content.WithDescriptor(t.desc))
		if err != nil {
			t.begun(false)
			if cerrdefs.IsAlreadyExists(err) {
				t.out.State(t.line(), "Download complete")
				return nil
			}
			return fmt.Errorf("storing layer %s: %w", t.desc.Digest, err)
		}
		st, err := cw.Status()
		if err != nil {
			_ = cw.Close()
			t.begun(false)
			return err
		}
		if !fresh {
			streams = st.Offset == 0 && t.sink != nil // without one the layer is only to be stored
			t.begun(streams)
		}
		err = t.fill(ctx, cw, st.Offset)
		_ = cw.Close()
		if !errors.Is(err, errMismatch) && !errors.Is(err, errNoRange) {
			return err
		}
		if aerr := t.s.content.Abort(ctx, t.ref()); aerr != nil && !cerrdefs.IsNotFound(aerr) {
			return fmt.Errorf("dropping wrong layer %s: %w", t.desc.Digest, aerr)
		}
		if st.Offset == 0 && errors.Is(err, errNoRange) {
			return errdefs.Unavailable("layer %s: the connection broke, and the registry does not go on in the middle of a layer", t.desc.Digest)
		}
		if st.Offset == 0 {
			return errdefs.Invalid("filesystem layer verification failed for digest %s", t.desc.Digest)
		}
	}
}

func (t *transfer) ref() string { return "layer-" + t.desc.Digest.String() }

// errMismatch says that the bytes received are not those that the digest names.
var errMismatch = errors.New("digest mismatch")

// errNoRange says that the registry refuses to send a layer from the middle on.
var errNoRange = errors.New("no range of a layer is sent")

func refusesRange(err error) bool {
	var status remoteerrors.ErrUnexpectedStatus
	return errors.As(err, &status) && status.StatusCode == http.StatusRequestedRangeNotSatisfiable
}

// fill writes the rest of the layer and commits it.
func (t *transfer) fill(ctx context.Context, cw content.Writer, offset int64) error {
	if offset > t.desc.Size {
		return errMismatch
	}
	for attempt := 1; offset < t.desc.Size; attempt++ {
		n, err := t.attempt(ctx, cw, offset)
		offset += n
		if n > 0 {
			attempt = 1
		}
		if err == nil {
			continue
		}
		if attempt == maxAttempts || !worthRetrying(err) || ctx.Err() != nil {
			return err
		}
		err = t.s.pause(ctx, attempt, func(left time.Duration) {
			t.out.Line(t.line(), fmt.Sprintf("Retrying in %d second%s", int(left.Seconds()), plural(int(left.Seconds()))))
		})
		if err != nil {
			return err
		}
	}
	t.out.State(t.line(), "Verifying Checksum")
	err := cw.Commit(ctx, t.desc.Size, t.desc.Digest)
	switch {
	case err == nil, cerrdefs.IsAlreadyExists(err):
		t.out.State(t.line(), "Download complete")
		return nil
	case cerrdefs.IsFailedPrecondition(err):
		return errMismatch
	}
	return fmt.Errorf("storing layer %s: %w", t.desc.Digest, err)
}

// attempt reads from offset until the end or the first fault, and returns how many bytes were written.
func (t *transfer) attempt(ctx context.Context, cw content.Writer, offset int64) (written int64, err error) {
	ctx, dog := stall.Watch(ctx, t.s.cfg.Stall)
	defer dog.Stop()
	rc, err := t.f.Fetch(ctx, t.desc)
	if err != nil {
		return 0, dog.Cause(ctx, err)
	}
	defer rc.Close()
	if offset > 0 {
		if err := skip(rc, offset); err != nil {
			return 0, dog.Cause(ctx, err)
		}
	}
	r := dog.Reader(rc)
	buf := make([]byte, layertar.ChunkBytes)
	for offset+written < t.desc.Size {
		n, rerr := r.Read(buf[:min(int64(len(buf)), t.desc.Size-offset-written)])
		if n > 0 {
			if _, err := cw.Write(buf[:n]); err != nil {
				return written, &storeError{fmt.Errorf("storing layer %s: %w", t.desc.Digest, err)}
			}
			if t.sink != nil {
				_, _ = t.sink.Write(buf[:n]) // a reader that left has its own error to tell
			}
			written += int64(n)
			t.out.Count(t.line(), "Downloading", offset+written, t.desc.Size)
		}
		if rerr != nil && offset+written < t.desc.Size {
			if errors.Is(rerr, io.EOF) {
				rerr = io.ErrUnexpectedEOF
			}
			if refusesRange(rerr) {
				return written, errNoRange
			}
			return written, dog.Cause(ctx, rerr)
		}
	}
	return written, nil
}

// storeError is a fault of this machine, which another try at the registry does not cure.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

func skip(r io.Reader, offset int64) error {
	if sk, ok := r.(io.Seeker); ok {
		_, err := sk.Seek(offset, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, offset)
	return err
}

// worthRetrying tells a broken connection from an answer.
func worthRetrying(err error) bool {
	var local *storeError
	var known *errdefs.Error
	var status remoteerrors.ErrUnexpectedStatus
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errNoRange), errors.As(err, &local), errors.As(err, &known):
		return false
	case cerrdefs.IsNotFound(err), cerrdefs.IsUnauthorized(err), cerrdefs.IsPermissionDenied(err):
		return false
	case errors.As(err, &status):
		return status.StatusCode >= 500 || status.StatusCode == 408 || status.StatusCode == 429
	}
	return true
}

// pause waits before another attempt, longer each time; tell hears how long is left, in steps of a second.
func (s *Service) pause(ctx context.Context, attempt int, tell func(left time.Duration)) error {
	for left := s.cfg.Retry * time.Duration(attempt); left > 0; left -= time.Second {
		if tell != nil && left >= time.Second {
			tell(left)
		}
		select {
		case <-time.After(min(left, time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
