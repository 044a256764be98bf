// Package hostports asks the computer around the virtual machine, through the guest agent, to listen on published ports.
package hostports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

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

func (c *Client) ask(ctx context.Context, op agentapi.Op, p agentapi.Publish) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return fmt.Errorf("asking the host for port %d/%s: %w", p.Port.Port, p.Proto, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	body, err := json.Marshal(p)
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
		return fmt.Errorf("asking the host for port %d/%s: %w", p.Port.Port, p.Proto, err)
	case f.Error != nil:
		return f.Error
	}
	return nil
}
