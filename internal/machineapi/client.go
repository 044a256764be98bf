package machineapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
)

// Client speaks with the host agent behind a socket.
type Client struct{ http *http.Client }

// NewClient makes a client; nothing is dialled yet.
func NewClient(socket string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// ErrNoAgent is what calls fail with where no host agent serves the machine.
var ErrNoAgent = errors.New("no host agent serves the virtual machine")

// Machine asks how it is.
func (c *Client) Machine(ctx context.Context) (Machine, error) {
	return get[Machine](ctx, c, http.MethodGet, "/machine", nil)
}

// Set changes its settings.
func (c *Client) Set(ctx context.Context, s Settings) (Machine, error) {
	return get[Machine](ctx, c, http.MethodPut, "/machine/settings", s)
}

// Doctor asks what is wrong.
func (c *Client) Doctor(ctx context.Context) ([]Finding, error) {
	return get[[]Finding](ctx, c, http.MethodGet, "/machine/doctor", nil)
}

// Start, Stop, Restart and Reset tell each step as it happens.
func (c *Client) Start(ctx context.Context, tell func(string)) (Machine, error) {
	return c.steps(ctx, "/machine/start", nil, tell)
}

// Stop stops it.
func (c *Client) Stop(ctx context.Context, s Stop, tell func(string)) (Machine, error) {
	return c.steps(ctx, "/machine/stop", s, tell)
}

// Restart stops and starts it.
func (c *Client) Restart(ctx context.Context, tell func(string)) (Machine, error) {
	return c.steps(ctx, "/machine/restart", nil, tell)
}

// Reset stops it and throws its data away.
func (c *Client) Reset(ctx context.Context, tell func(string)) (Machine, error) {
	return c.steps(ctx, "/machine/reset", nil, tell)
}

// Shell opens a stream to the shells in the machine, which begins with the host's half of agentapi.Open. Closing it hangs
// up on what was started. It is the machine's as it is: one that is stopped is not started.
func (c *Client) Shell(ctx context.Context) (io.ReadWriteCloser, error) {
	resp, err := c.do(ctx, http.MethodPost, "/machine/shell", nil)
	if err != nil {
		return nil, err
	}
	if stream, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		return stream, nil
	}
	return nil, errors.Join(errdefs.System("the host agent answered %s to a shell", resp.Status), resp.Body.Close())
}

func (c *Client) steps(ctx context.Context, path string, in any, tell func(string)) (Machine, error) {
	resp, err := c.do(ctx, http.MethodPost, path, in)
	if err != nil {
		return Machine{}, err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var s Step
		switch err := d.Decode(&s); {
		case err != nil:
			return Machine{}, errdefs.Unavailable("the host agent went away in the middle of its answer: %w", err)
		case s.Error != nil:
			return Machine{}, s.Error.Err()
		case s.Machine != nil:
			return *s.Machine, nil
		}
		tell(s.Text)
	}
}

func get[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, errdefs.System("the host agent's answer: %w", err)
	}
	return out, nil
}

// do sends a request; an answer that is an error becomes one.
func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, body)
	if err != nil {
		return nil, err
	}
	if path == "/machine/shell" {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", ShellProtocol)
	}
	resp, err := c.http.Do(req)
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return nil, fmt.Errorf("%w: %w", ErrNoAgent, op.Err)
	case err != nil:
		return nil, errdefs.Unavailable("the host agent: %w", err)
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusSwitchingProtocols:
		return resp, nil
	}
	defer resp.Body.Close()
	var f Failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&f); err != nil || f.Message == "" {
		return nil, errdefs.System("the host agent answered %s", resp.Status)
	}
	return nil, f.Err()
}
