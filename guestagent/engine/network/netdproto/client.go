//go:build linux

package netdproto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// callTimeout bounds one call: netd answers from memory and never waits for a container or a network.
const callTimeout = 10 * time.Second

// Client calls netd and starts it when it is missing. Safe for concurrent use; calls are made one after the other.
type Client struct {
	socket string
	start  func() error

	mu   sync.Mutex
	conn *proto.Conn
}

// NewClient calls netd at socket; start starts it and may return before it listens.
func NewClient(socket string, start func() error) *Client {
	return &Client{socket: socket, start: start}
}

// Close ends the connection; netd goes on.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp()
}

func (c *Client) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Put hands a sandbox over and returns its ports as they were bound. The error is *Error where netd refused.
func (c *Client) Put(ctx context.Context, s Sandbox) ([]Port, error) {
	resp, err := c.call(ctx, Request{Op: OpPut, Sandbox: &s})
	if err != nil {
		return nil, err
	}
	return resp.Ports, nil
}

// Drop ends what is served for a container.
func (c *Client) Drop(ctx context.Context, id string) error {
	_, err := c.call(ctx, Request{Op: OpDrop, ID: id})
	return err
}

// Keep drops all but these.
func (c *Client) Keep(ctx context.Context, ids []string) error {
	_, err := c.call(ctx, Request{Op: OpKeep, IDs: ids})
	return err
}

// List tells what is served.
func (c *Client) List(ctx context.Context) ([]Sandbox, error) {
	resp, err := c.call(ctx, Request{Op: OpList})
	return resp.Sandboxes, err
}

// Running says whether a netd answers now; it starts none.
func (c *Client) Running() bool {
	conn, err := proto.Dial(c.socket)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Stop ends a netd that runs.
func (c *Client) Stop(ctx context.Context) error {
	if !c.Running() {
		return nil
	}
	_, err := c.call(ctx, Request{Op: OpStop})
	return err
}

// WaitGone blocks until the netd that runs now has ended, or ctx has.
func (c *Client) WaitGone(ctx context.Context) error {
	conn, err := proto.Dial(c.socket)
	if err != nil {
		return nil
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var never Response
	_, _ = conn.Recv(&never)
	return ctx.Err()
}

// Ensure starts netd if none answers.
func (c *Client) Ensure(ctx context.Context) error {
	_, err := c.call(ctx, Request{Op: OpHello})
	return err
}

func (c *Client) call(ctx context.Context, req Request) (Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.conn == nil
	resp, err := c.once(ctx, req)
	if err != nil && !fresh && ctx.Err() == nil {
		resp, err = c.once(ctx, req) // netd ended since the last call; every call may be repeated
	}
	if err != nil {
		return resp, fmt.Errorf("berth-netd: %s: %w", req.Op, err)
	}
	if resp.Error != nil {
		return resp, resp.Error
	}
	return resp, nil
}

func (c *Client) once(ctx context.Context, req Request) (resp Response, err error) {
	if c.conn == nil {
		if c.conn, err = c.connect(ctx); err != nil {
			return resp, err
		}
	}
	deadline := time.Now().Add(callTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err = c.conn.Unix().SetDeadline(deadline); err == nil {
		if err = c.conn.Send(req); err == nil {
			_, err = c.conn.Recv(&resp)
		}
	}
	if err != nil {
		c.hangUp()
	}
	return resp, err
}

func (c *Client) connect(ctx context.Context) (*proto.Conn, error) {
	conn, err := proto.Dial(c.socket)
	if err == nil {
		return conn, nil
	}
	if c.start == nil {
		return nil, err
	}
	if err := c.start(); err != nil {
		return nil, err
	}
	for wait := time.Millisecond; wait < 5*time.Second; wait = wait * 3 / 2 {
		if conn, err = proto.Dial(c.socket); err == nil {
			return conn, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, errors.Join(errors.New("it was started and does not listen"), err)
}
