package api

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"golang.org/x/net/websocket"
)

// containerAttachWebsocket attaches over a websocket, for browsers. The engine gets one end of a socket pair, so that
// it can hand a descriptor on as with any other client; the frames are made and read here.
func (s *Server) containerAttachWebsocket(c *call) error {
	if !strings.EqualFold(c.r.Header.Get("Upgrade"), "websocket") {
		if _, err := s.Query.ContainerInspect(c.ctx(), c.name, false); err != nil {
			return err
		}
		return errdefs.Invalid("attaching over a websocket needs an Upgrade: websocket header")
	}
	done := make(chan struct{})
	started := false
	err := s.Stream.ContainerAttach(c.ctx(), c.name, c.attachOptions(), func(mux bool) Hijack {
		return func() (net.Conn, []byte, error) {
			near, far, err := socketPair()
			if err != nil {
				return nil, nil, fmt.Errorf("making a socket pair for a websocket: %w", err)
			}
			started = true
			go func() {
				defer close(done)
				defer func() { _ = near.Close() }() // again after a whole bridge: harmless
				websocket.Server{Handler: func(ws *websocket.Conn) { bridge(ws, near, mux, !c.version.Before(28)) }}.ServeHTTP(c.w, c.r)
			}()
			return far, nil, nil
		}
	})
	if started {
		<-done
	}
	return err
}

// bridge copies both ways until either side ends. Websockets have one channel: both output streams share it.
func bridge(ws *websocket.Conn, near net.Conn, mux, binary bool) {
	if binary {
		ws.PayloadType = websocket.BinaryFrame
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(near, ws) // ends with the client
		_ = near.Close()
	}()
	if mux {
		_, _ = stdcopy.StdCopy(ws, ws, near) // ends with the container's output
	} else {
		_, _ = io.Copy(ws, near)
	}
	_ = errors.Join(ws.Close(), near.Close())
	<-ended
}
