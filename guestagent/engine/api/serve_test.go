package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/events"
)

// When the engine stops, streams end in order and new clients are refused.
func TestServeEndsStreams(t *testing.T) {
	f := &fake{events: func(ctx context.Context, _, _ time.Time, ready func(), _ func(events.Message) error) error {
		ready()
		<-ctx.Done()
		return ctx.Err()
	}}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serverOver(f).Serve(ctx, l) }()
	resp, err := plain(path).Get("http://x/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	began := time.Now()
	stop()
	if data, err := io.ReadAll(resp.Body); err != nil || len(data) != 0 {
		t.Errorf("the stream ended with %q, %v, want a proper end", data, err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if took := time.Since(began); took > drainTimeout-time.Second {
		t.Errorf("stopping took %v although only a stream was open", took)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("the socket still answers")
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := serverOver(&fake{}).Serve(context.Background(), l); err == nil || !strings.HasPrefix(err.Error(), "serving the API: ") {
		t.Errorf("Serve = %v, want the listener's error", err)
	}
}

// A handler that panics is one failed request, not the end of the engine.
func TestPanics(t *testing.T) {
	f := &fake{
		logs:     func(context.Context, io.Writer, io.Writer, func()) error { panic("boom") },
		progress: func(context.Context, io.Writer) error { panic("boom") },
	}
	path := listen(t, f)
	resp, err := plain(path).Post("http://x/images/create?fromImage=x", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 500 || strings.Contains(string(body), "boom") || !strings.Contains(string(body), "internal error") {
		t.Errorf("before the head: %d %s %v", resp.StatusCode, body, err)
	}
	_ = resp.Body.Close()
	resp, err = plain(path).Get("http://x/containers/web/logs?stdout=1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a panic in the middle looked like a proper end")
	}
	_ = resp.Body.Close()
	if resp, err = plain(path).Get("http://x/_ping"); err != nil || resp.StatusCode != 200 {
		t.Errorf("after the panics: %v, %v", resp, err)
	}
}

// A client that sends its JSON drop by drop does not hold the server; one that uploads a tar slowly is welcome.
func TestSlowBodies(t *testing.T) {
	f := &fake{progress: nothing}
	s := serverOver(f)
	s.bodyTimeout = 100 * time.Millisecond
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	defer func() { stop(); <-done }()

	pr, pw := io.Pipe()
	go func() { _, _ = io.WriteString(pw, `{"Image":`) }() // and never the rest
	began := time.Now()
	resp, err := plain(path).Post("http://x/containers/create", "application/json", pr)
	if err == nil {
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "i/o timeout") {
			t.Errorf("a stalled body gave %d %s", resp.StatusCode, body)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a stalled body held the server for %v", took)
	}
	_ = pw.Close()

	pr, pw = io.Pipe()
	go func() {
		for range 4 {
			time.Sleep(100 * time.Millisecond)
			_, _ = io.WriteString(pw, "tar ")
		}
		_ = pw.Close()
	}()
	resp, err = plain(path).Post("http://x/images/load", "application/x-tar", pr)
	if err != nil || resp.StatusCode != 200 || f.body != "tar tar tar tar " {
		t.Errorf("a slow upload gave %v, %v, body %q", resp, err, f.body)
	}
}

// The deadline of a request's body must not end the work that the request asks for.
func TestBodyDeadlineIsLifted(t *testing.T) {
	f := &fake{during: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(600 * time.Millisecond):
			return nil
		}
	}}
	s := serverOver(f)
	s.bodyTimeout = 200 * time.Millisecond
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	defer func() { stop(); <-done }()
	resp, err := plain(path).Post("http://x/containers/create", "application/json", strings.NewReader(`{"Image":"x"}`))
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Errorf("a create that takes long gave %v, %v", resp, err)
	}
}
