package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types"
)

// hijack makes the function a backend calls to take the connection over. Clients that ask for an upgrade get
// "101 UPGRADED", older ones a bare 200 whose body never ends.
func (c *call) hijack(mux bool) Hijack {
	return func() (net.Conn, []byte, error) {
		head := hijackHead(c.r, c.w.Header(), streamType(mux, c.version))
		conn, rw, err := c.w.Hijack()
		if err != nil {
			return nil, nil, fmt.Errorf("taking over the client's connection: %w", err)
		}
		preface := make([]byte, rw.Reader.Buffered())
		if _, err := rw.Reader.Read(preface); err != nil && len(preface) > 0 {
			return nil, nil, errors.Join(fmt.Errorf("reading what the client sent ahead: %w", err), conn.Close())
		}
		if _, err := conn.Write(head); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("answering the client: %w", err), conn.Close())
		}
		return conn, preface, nil
	}
}

// streamType is the media type of a container's output. Before 1.42 it was always called raw.
func streamType(mux bool, v Version) string {
	if mux && !v.Before(42) {
		return types.MediaTypeMultiplexedStream
	}
	return types.MediaTypeRawStream
}

// hijackHead writes the head that net/http no longer writes once the connection is taken over.
func hijackHead(r *http.Request, h http.Header, contentType string) []byte {
	var b strings.Builder
	if _, upgrade := r.Header["Upgrade"]; upgrade {
		fmt.Fprintf(&b, "HTTP/1.1 101 UPGRADED\r\nContent-Type: %s\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n", contentType)
	} else {
		fmt.Fprintf(&b, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n", types.MediaTypeRawStream)
	}
	_ = h.WriteSubset(&b, map[string]bool{"Content-Type": true}) // a strings.Builder takes everything
	b.WriteString("\r\n")
	return []byte(b.String())
}
