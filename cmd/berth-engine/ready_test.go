//go:build linux

package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

func TestReadyIsSaidAfterTheFirstAnswer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	told, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- tellReady(t.Context(), socket, func(_ bool, state string) (bool, error) { told <- state; return true, nil })
	}()
	select {
	case <-told:
		t.Fatal("systemd was told while nobody answered")
	case <-time.After(200 * time.Millisecond): // the socket is open all the while
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_ping" {
			w.WriteHeader(http.StatusNotFound)
		}
	})}
	defer srv.Close()
	go srv.Serve(l)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := <-told; s != daemon.SdNotifyReady {
		t.Errorf("told %q", s)
	}
}

func TestReadyIsNotSaidOfAnEngineThatEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := tellReady(ctx, filepath.Join(t.TempDir(), "none"), func(bool, string) (bool, error) { t.Error("told"); return true, nil })
	if err != nil {
		t.Error(err)
	}
}
