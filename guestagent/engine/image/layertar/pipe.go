//go:build linux

package layertar

import (
	"context"
	"errors"
	"io"
	"sync"
)

const (
	// ChunkBytes is the size in which layers move between the stages.
	ChunkBytes = 128 << 10
	pipeChunks = 64 // 8 MiB between two stages of one layer
)

var errReaderGone = errors.New("nobody reads any more")

// Pipe is a pipe with room: a stage that fetches or inflates runs ahead of the one that reads. Write and
// CloseWithError belong to one goroutine, Read and CloseRead to another.
type Pipe struct {
	ctx   context.Context //nolint:containedctx // a pipe lives as long as the operation that made it
	queue chan []byte
	gone  chan struct{} // closed when the reader has left
	leave sync.Once
	pool  *sync.Pool
	err   error // set before queue is closed
	cur   []byte
	rest  []byte
}

// NewPipe makes a pipe whose two ends also stop waiting with ctx.
func NewPipe(ctx context.Context) *Pipe {
	return &Pipe{
		ctx: ctx, queue: make(chan []byte, pipeChunks), gone: make(chan struct{}),
		pool: &sync.Pool{New: func() any { b := make([]byte, 0, ChunkBytes); return &b }},
	}
}

// Write copies b into the pipe, waiting while it is full.
func (c *Pipe) Write(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		buf := *(c.pool.Get().(*[]byte))
		part := b[:min(len(b), ChunkBytes)]
		buf = append(buf[:0], part...)
		select {
		case c.queue <- buf:
		case <-c.gone:
			return n, errReaderGone
		case <-c.ctx.Done():
			return n, c.ctx.Err()
		}
		n += len(part)
		b = b[len(part):]
	}
	return n, nil
}

// CloseWithError ends the stream; nil is a clean end.
func (c *Pipe) CloseWithError(err error) {
	if err == nil {
		err = io.EOF
	}
	c.err = err
	close(c.queue)
}

// Read takes what was written, waiting for it.
func (c *Pipe) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.cur != nil {
			buf := c.cur
			c.cur = nil
			c.pool.Put(&buf)
		}
		select {
		case buf, ok := <-c.queue:
			if !ok {
				return 0, c.err
			}
			c.cur, c.rest = buf, buf
		case <-c.ctx.Done():
			return 0, c.ctx.Err()
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// CloseRead lets the writer go on without a reader.
func (c *Pipe) CloseRead() { c.leave.Do(func() { close(c.gone) }) }
