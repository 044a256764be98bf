//go:build linux

package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/berthhq/berth/guestagent/engine/image/stall"
	"github.com/berthhq/berth/internal/errdefs"
)

// maxRefusalBytes is how much of an answer that says no becomes part of the error.
const maxRefusalBytes = 4 << 10

// openURL fetches an archive by the engine's proxies; http:// is meant where no scheme is named. How far it is goes to out.
// Errors: Invalid for what is no address of the web; NotFound for a host that has none, else as the server's status.
func (s *Service) openURL(ctx context.Context, src string, out *progress.Writer) (io.ReadCloser, error) {
	if !strings.Contains(src, "://") {
		src = "http://" + src
	}
	u, err := url.Parse(src)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errdefs.Invalid("%s is no http or https address", u.Redacted())
	}
	ctx, watch := stall.Watch(ctx, s.cfg.Stall)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		watch.Stop()
		return nil, errdefs.Invalid("%w", err)
	}
	if s.cfg.UserAgent != "" {
		req.Header.Set("User-Agent", s.cfg.UserAgent)
	}
	resp, err := s.registry.Web().Do(req)
	if err != nil {
		err = watch.Cause(ctx, err)
		watch.Stop()
		var dns *net.DNSError
		if errors.As(err, &dns) && !dns.IsTimeout {
			return nil, errdefs.NotFound("%w", err)
		}
		return nil, errdefs.System("fetching %s: %w", u.Redacted(), err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer watch.Stop()
		return nil, refusal(u, resp)
	}
	out.Line("", "Downloading from "+u.Redacted())
	return &download{ctx: ctx, from: u.Redacted(), body: resp.Body, r: watch.Reader(resp.Body), watch: watch, total: resp.ContentLength, out: out}, nil
}

func refusal(u *url.URL, resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBytes))
	if err != nil {
		text = []byte("error reading body")
	}
	msg := fmt.Sprintf("failed to GET %s with status %s: %s", u.Redacted(), oneLine(resp.Status), oneLine(string(text)))
	switch resp.StatusCode {
	case http.StatusNotFound:
		return errdefs.NotFound("%s", msg)
	case http.StatusBadRequest:
		return errdefs.Invalid("%s", msg)
	case http.StatusUnauthorized:
		return errdefs.Unauthorized("%s", msg)
	case http.StatusForbidden:
		return errdefs.Forbidden("%s", msg)
	}
	return errdefs.System("%s", msg)
}

// oneLine is a stranger's text without what would break a line or command a terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}

// download is an archive on its way.
type download struct {
	ctx         context.Context //nolint:containedctx // of the request whose body this is
	from        string
	body        io.Closer
	r           io.Reader
	watch       *stall.Watchdog
	done, total int64
	out         *progress.Writer
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.done += int64(n)
	if n > 0 {
		d.out.Count("", "Importing", d.done, max(d.total, 0))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("fetching %s: %w", d.from, d.watch.Cause(d.ctx, err))
	}
	return n, err
}

func (d *download) Close() error {
	d.watch.Stop()
	return d.body.Close()
}
