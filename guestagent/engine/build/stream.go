//go:build linux

package build

import (
	"context"

	"github.com/berthhq/berth/internal/errdefs"
	"google.golang.org/grpc/metadata"
)

// stream takes what BuildKit's controller sends to a client, in this process.
type stream[T any] struct {
	ctx  context.Context
	each func(T) error
}

func (s *stream[T]) Context() context.Context { return s.ctx }

func (s *stream[T]) Send(v T) error { return s.each(v) }

// SendMsg is Send for what is not typed.
func (s *stream[T]) SendMsg(m any) error {
	v, ok := m.(T)
	if !ok {
		return errdefs.System("BuildKit sent an unexpected %T", m)
	}
	return s.each(v)
}

// RecvMsg has nothing to give: the controller is sent nothing on these streams.
func (s *stream[T]) RecvMsg(any) error {
	return errdefs.System("BuildKit waits for a message that is none of its protocol")
}

func (s *stream[T]) SetHeader(metadata.MD) error  { return nil }
func (s *stream[T]) SendHeader(metadata.MD) error { return nil }
func (s *stream[T]) SetTrailer(metadata.MD)       {}
