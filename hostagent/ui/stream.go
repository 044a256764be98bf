package ui

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/berthhq/berth/internal/errdefs"
)

// A stream is one request whose answer goes on: events, logs, a pull, a terminal. It has a websocket of its own, since
// browsers open only six plain connections to a server.
//
//	page   -> server   text    ask, first of all, within askWithin
//	server -> page     text    told: the answer's status, or what went wrong
//	server -> page     binary  the answer's body, or what a hijacked connection says
//	page   -> server   text    more: so many bytes were shown
//	page   -> server   binary  input of a hijacked connection
//
// The server stays at most window bytes ahead of what was shown: a container that writes without end fills no browser.
const (
	window    = 1 << 20
	chunk     = 32 << 10
	askWithin = 10 * time.Second
)

type ask struct {
	Token  string          `json:"token"`
	Method string          `json:"method"`
	Path   string          `json:"path"` // with its query
	Body   json.RawMessage `json:"body,omitempty"`
	Hijack bool            `json:"hijack,omitempty"` // input goes to the engine too
}

type told struct {
	Status int `json:"status"`
	failure
}

type more struct {
	Shown int  `json:"shown,omitempty"` // bytes
	EOF   bool `json:"eof,omitempty"`   // no more input comes
}

// stream serves one.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" { // a browser always says it with a websocket
		refuse(w, errdefs.Forbidden("a websocket without an origin"))
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(mostBody)
	a, err := s.asked(r.Context(), ws)
	if err != nil {
		say(r.Context(), ws, told{errdefs.HTTPStatus(err), failure{err.Error(), errdefs.HintOf(err)}})
		_ = ws.Close(websocket.StatusPolicyViolation, "")
		return
	}
	defer s.busy()()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	resp, err := s.begin(ctx, a)
	if err != nil {
		say(ctx, ws, told{errdefs.HTTPStatus(err), failure{err.Error(), errdefs.HintOf(err)}})
		_ = ws.Close(websocket.StatusNormalClosure, "")
		return
	}
	defer func() { _ = resp.Body.Close() }()
	c := newCredit(window)
	go func() {
		defer cancel() // a page that has gone wants no more
		listen(ctx, ws, resp.Body, c)
		c.close()
		_ = resp.Body.Close()
	}()
	if say(ctx, ws, told{Status: resp.StatusCode, failure: failure{Hint: resp.Header.Get("Berth-Hint")}}) == nil && carry(ctx, ws, resp.Body, c) == nil {
		_ = ws.Close(websocket.StatusNormalClosure, "")
	}
}

// asked reads the first message and checks all that it wants.
func (s *Server) asked(ctx context.Context, ws *websocket.Conn) (ask, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var a ask
	_, b, err := ws.Read(ctx)
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		return a, errdefs.Invalid("the first message: %w", err)
	}
	if !s.sessions.use(a.Token) {
		return a, errdefs.Unauthorized("this tab may not talk to the engine any more").WithHint("Run berth ui again.")
	}
	u, err := url.Parse(a.Path)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return a, errdefs.Invalid("%q is not a path", a.Path)
	}
	return a, permitted(s.routes, a.Method, u)
}

// begin sends the request to the engine.
func (s *Server) begin(ctx context.Context, a ask) (*http.Response, error) {
	var body io.Reader
	if len(a.Body) > 0 {
		body = strings.NewReader(string(a.Body))
	}
	req, err := http.NewRequestWithContext(ctx, a.Method, "http://"+engineName+a.Path, body)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.Hijack {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "tcp")
	}
	if auth := s.cfg.Credentials; auth != nil && strings.HasPrefix(a.Path, "/images/create") {
		if v := auth(req.URL.Query().Get("fromImage")); v != "" {
			req.Header.Set("X-Registry-Auth", v)
		}
	}
	resp, err := s.engine.RoundTrip(req)
	if err != nil {
		return nil, engineError(err)
	}
	return resp, nil
}

func say(ctx context.Context, ws *websocket.Conn, v told) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return ws.Write(ctx, websocket.MessageText, b)
}

// carry copies the answer to the page, as far as it is wanted.
func carry(ctx context.Context, ws *websocket.Conn, from io.Reader, c *credit) error {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !c.take(n) {
				return io.ErrClosedPipe
			}
			if err := ws.Write(ctx, websocket.MessageBinary, buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// listen takes what the page says until it has gone.
func listen(ctx context.Context, ws *websocket.Conn, body io.Closer, c *credit) {
	input, _ := body.(io.Writer) // where the engine changed protocols
	for {
		kind, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			if input == nil {
				return
			}
			if _, err := input.Write(b); err != nil {
				return
			}
			continue
		}
		var m more
		if json.Unmarshal(b, &m) != nil {
			return
		}
		c.give(m.Shown)
		if half, ok := body.(interface{ CloseWrite() error }); ok && m.EOF {
			_ = half.CloseWrite()
		}
	}
}

// credit is how many bytes may still be sent.
type credit struct {
	mu     sync.Mutex
	change *sync.Cond
	left   int
	closed bool
}

func newCredit(n int) *credit {
	c := &credit{left: n}
	c.change = sync.NewCond(&c.mu)
	return c
}

// take waits until there is room and takes n; the last message may go beyond it. False: the page has gone.
func (c *credit) take(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.left <= 0 && !c.closed {
		c.change.Wait()
	}
	c.left -= n
	return !c.closed
}

func (c *credit) give(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = min(c.left+max(n, 0), window)
	c.change.Broadcast()
}

func (c *credit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.change.Broadcast()
}
