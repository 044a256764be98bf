// Package host asks the computer around the virtual machine, through the guest agent: to listen on published ports, and
// where a file of its own is. Natively there is none.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/internal/agentapi"
)

// Client asks at the guest agent's socket. It may be used from any goroutine.
type Client struct{ socket string }

// Find gives a client where a guest agent listens, and nil natively.
func Find(socket string) *Client {
	if _, err := os.Stat(socket); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &Client{socket: socket}
}

// Open asks for a port. Errors are agentapi's: Taken where somebody has it.
func (c *Client) Open(ctx context.Context, p agentapi.Publish) error {
	return c.ask(ctx, agentapi.OpPortOpen, p)
}

// Close gives a port back; one that is not open is no error.
func (c *Client) Close(ctx context.Context, p agentapi.Publish) error {
	return c.ask(ctx, agentapi.OpPortClose, p)
}

// Path says where a path of the host is in this machine; make makes a directory of it where nothing is. Errors are
// agentapi's: NotFound, Invalid for a path that is not shared.
func (c *Client) Path(ctx context.Context, path string, make bool) (string, error) {
	var at agentapi.PathAnswer
	err := c.call(ctx, agentapi.OpPath, agentapi.PathQuery{Path: path, Make: make}, &at)
	if err != nil {
		return "", err
	}
	if !filepath.IsLocal(at.Share) || strings.Contains(at.Share, "/") || at.Rel != "" && !filepath.IsLocal(at.Rel) {
		return "", fmt.Errorf("the host says that %s is %q of share %q", path, at.Rel, at.Share)
	}
	return filepath.Join(agentapi.SharesRoot, at.Share, at.Rel), nil
}

func (c *Client) ask(ctx context.Context, op agentapi.Op, p agentapi.Publish) error {
	if err := c.call(ctx, op, p, nil); err != nil {
		if _, ok := errors.AsType[*agentapi.Error](err); ok {
			return err
		}
		return fmt.Errorf("port %d/%s: %w", p.Port.Port, p.Proto, err)
	}
	return nil
}

// call is one request, on a connection of its own.
func (c *Client) call(ctx context.Context, op agentapi.Op, in, out any) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return fmt.Errorf("asking the host: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var f agentapi.Frame
	err = agentapi.WriteFrame(conn, agentapi.Frame{ID: 1, Op: op, Body: body})
	if err == nil {
		err = agentapi.ReadFrame(conn, &f)
	}
	switch {
	case err != nil:
		return fmt.Errorf("asking the host: %w", err)
	case f.Error != nil:
		return f.Error
	case out == nil:
		return nil
	}
	return json.Unmarshal(f.Body, out)
}
