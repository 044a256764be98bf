package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// pingEvery is how long to wait after an answer that did not come.
const pingEvery = 50 * time.Millisecond

// tellReady tells systemd, where it has started the engine, that the API is served: after the socket has answered, not
// when it was opened. What is ordered after the unit may then use it.
func tellReady(ctx context.Context, socket string, notify func(unset bool, state string) (bool, error)) error {
	var d net.Dialer
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", socket)
	}}
	for !answers(ctx, tr) {
		select {
		case <-ctx.Done():
			return nil // it is about to end
		case <-time.After(pingEvery):
		}
	}
	if _, err := notify(false, daemon.SdNotifyReady); err != nil {
		return fmt.Errorf("READY=1: %w", err)
	}
	return nil
}

func answers(ctx context.Context, tr http.RoundTripper) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://berth/_ping", nil)
	if err != nil {
		return false
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
