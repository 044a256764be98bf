package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

// maxJSONBody bounds what a request may send as JSON. The largest real ones (a create with many labels) are far below.
const maxJSONBody = 16 << 20

// call is one request: its writer, version, path variable and query.
type call struct {
	w       *response
	r       *http.Request
	name    string
	version Version
	query   url.Values
	// bodyTimeout is how long a JSON body may take to arrive.
	bodyTimeout time.Duration
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) parseQuery() error {
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return errdefs.Invalid("invalid query: %w", err)
	}
	c.query = q
	return nil
}

// flag reads a boolean as dockerd does: anything but "", 0, no, false and none is true.
func (c *call) flag(key string) bool { return c.flagOr(key, false) }

// flagOr is flag with another value for a missing key.
func (c *call) flagOr(key string, missing bool) bool {
	if !c.query.Has(key) {
		return missing
	}
	switch strings.ToLower(strings.TrimSpace(c.query.Get(key))) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}

// number reads an integer; a missing one is nil.
func (c *call) number(key string) (*int, error) {
	s := c.query.Get(key)
	if s == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, errdefs.Invalid("invalid value for %s: %w", key, err)
	}
	return &n, nil
}

// size reads one side of a terminal's size.
func (c *call) size(key, side string) (uint16, error) {
	text := c.query.Get(key)
	digits, negative := strings.CutPrefix(text, "-")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err == nil && negative {
		err = &strconv.NumError{Err: strconv.ErrRange}
	}
	if err != nil {
		return 0, errdefs.Invalid("invalid resize %s %q: %w", side, text, errors.Unwrap(err))
	}
	return uint16(n), nil
}

// hasBody says whether the client sent, or will send, a body.
func (c *call) hasBody() bool { return c.r.Body != nil && c.r.ContentLength != 0 }

// readJSON reads the whole body into v. A missing body leaves v as it is, as in dockerd.
func (c *call) readJSON(v any) error {
	if err := c.checkJSONType(); err != nil {
		return err
	}
	if !c.hasBody() {
		return nil
	}
	rc := http.NewResponseController(c.w)
	_ = rc.SetReadDeadline(time.Now().Add(c.bodyTimeout)) // not supported by a test's recorder, which cannot stall
	defer func() { _ = rc.SetReadDeadline(time.Time{}) }()
	dec := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxJSONBody))
	if err := dec.Decode(v); err != nil {
		return jsonError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errdefs.Invalid("unexpected content after JSON")
	}
	return nil
}

func jsonError(err error) error {
	var tooBig *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		return errdefs.Invalid("invalid JSON: got EOF while reading request body")
	case errors.As(err, &tooBig):
		return errdefs.Invalid("invalid JSON: request body is larger than %d bytes", tooBig.Limit)
	}
	return errdefs.Invalid("invalid JSON: %w", err)
}

// checkJSONType wants application/json for a body; no type is fine where there is no body.
func (c *call) checkJSONType() error {
	header := c.r.Header.Get("Content-Type")
	if header == "" && !c.hasBody() {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil {
		return errdefs.Invalid("malformed Content-Type header (%s): %w", header, err)
	}
	if mediaType != "application/json" {
		return errdefs.Invalid("unsupported Content-Type header (%s): must be 'application/json'", header)
	}
	return nil
}
