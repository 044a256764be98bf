//go:build linux

package runtime

import (
	"context"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// rewatch is how long Watch waits before it connects again to a supervisor that went away.
const rewatch = 50 * time.Millisecond

// Watch calls each for every event until ctx ends, beginning with a snapshot after every (re)connection. It is also
// what keeps a supervisor alive: one that died is started again here. Its error is ctx's.
func (c *Client) Watch(ctx context.Context, each func(proto.Event)) error {
	for ctx.Err() == nil {
		c.follow(ctx, each)
		c.pool.drop()
		select {
		case <-ctx.Done():
		case <-time.After(rewatch):
		}
	}
	return ctx.Err()
}

// follow reads one events stream to its end.
func (c *Client) follow(ctx context.Context, each func(proto.Event)) {
	conn, _, err := c.pool.take(ctx)
	if err != nil {
		return // tried again by Watch; calls of the API report the reason
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if conn.Send(&proto.Request{Op: proto.OpEvents}) != nil {
		return
	}
	for {
		var ev proto.Event
		files, err := conn.Recv(&ev)
		for _, f := range files {
			f.Close()
		}
		if err != nil {
			return
		}
		each(ev)
	}
}
