package harness

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/berthhq/berth/test/coverage/record"
)

// Raw asks the API without a client library and gives status and body.
func (w *World) Raw(method, path string, body io.Reader) (int, string) {
	w.Helper()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.Layout.Socket())
	}}
	hc := &http.Client{Timeout: bound, Transport: record.Transport{RoundTripper: tr}}
	req, err := http.NewRequest(method, "http://engine"+path, body)
	w.Must(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := hc.Do(req)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatalf("%s %s: reading: %v", method, path, err)
	}
	return resp.StatusCode, string(b)
}
