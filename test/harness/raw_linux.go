package harness

import (
	"context"
	"io"
	"net"
	"net/http"
)

// Raw asks the API without a client library and gives status and body.
func (w *World) Raw(method, path string, body io.Reader) (int, string) {
	w.Helper()
	hc := &http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.Layout.Socket())
		}}}
	req, err := http.NewRequest(method, "http://engine"+path, body)
	w.Must(err)
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
