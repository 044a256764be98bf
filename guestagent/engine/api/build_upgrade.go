package api

import (
	"bufio"
	"errors"
	"fmt"
	"net"

	"github.com/berthhq/berth/internal/errdefs"
)

// h2c is what connections of builds are upgraded to: HTTP/2 in clear, with gRPC on it.
const h2c = "h2c"

// buildSession gives the connection of a client to a session, in which BuildKit asks the client for files and secrets.
func (s *Server) buildSession(c *call) error {
	conn, err := c.upgrade()
	if err != nil {
		return err
	}
	return s.Build.BuildSession(c.ctx(), conn, c.r.Header)
}

// buildControl gives the connection of a client to BuildKit's own protocol.
func (s *Server) buildControl(c *call) error {
	conn, err := c.upgrade()
	if err != nil {
		return err
	}
	return s.Build.BuildControl(c.ctx(), conn)
}

// upgrade takes the connection over for HTTP/2. Errors: Invalid where the client does not ask for it.
func (c *call) upgrade() (net.Conn, error) {
	switch proto := c.r.Header.Get("Upgrade"); proto {
	case h2c:
	case "":
		return nil, errdefs.Invalid("no upgrade proto in request")
	default:
		return nil, errdefs.Invalid("protocol %s not supported", proto)
	}
	conn, rw, err := c.w.Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking over the client's connection: %w", err)
	}
	if _, err := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + h2c + "\r\n\r\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("answering the client: %w", err), conn.Close())
	}
	if rw.Reader.Buffered() == 0 {
		return conn, nil
	}
	return &earlyConn{Conn: conn, r: rw.Reader}, nil
}

// earlyConn is a connection whose client had sent something before it was taken over.
type earlyConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *earlyConn) Read(p []byte) (int, error) { return c.r.Read(p) }
