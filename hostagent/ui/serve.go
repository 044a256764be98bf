package ui

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

// quiet is how long a server stays that no tab is open of.
const quiet = 30 * time.Minute

// invitation answers a request of berth ui.
type invitation struct {
	File    string `json:"file"`    // the redirect file
	Version string `json:"version"` // berth's, of this server
}

// Serve serves the window until ctx ends, a newer berth asks it to go, or nobody has looked at it for half an hour. The
// directory of cfg.Layout must be there and the person's own.
func Serve(ctx context.Context, cfg Config, log *slog.Logger) error {
	page, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errdefs.System("the window: %w", err)
	}
	defer func() { _ = page.Close() }()
	if err := os.WriteFile(cfg.Layout.Port(), strconv.AppendInt(nil, int64(page.Addr().(*net.TCPAddr).Port), 10), 0o600); err != nil {
		return errdefs.System("the window: %w", err)
	}
	defer func() { _ = os.Remove(cfg.Layout.Port()) }()
	s := New(cfg, page.Addr().String())
	defer s.Close()
	_ = os.Remove(cfg.Layout.Socket()) // the caller has the lock: nobody serves it
	ask, err := net.Listen("unix", cfg.Layout.Socket())
	if err != nil {
		return errdefs.System("the window: %w", err)
	}
	defer func() { _ = ask.Close() }()
	if err := os.Chmod(cfg.Layout.Socket(), 0o600); err != nil {
		return errdefs.System("the window: %w", err)
	}
	defer s.forget()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log.Info("serving the window", "address", s.addr, "engine", cfg.About.Engine)
	return s.run(ctx, cancel, page, ask)
}

func (s *Server) run(ctx context.Context, cancel func(), page, ask net.Listener) error {
	base := func(net.Listener) context.Context { return ctx }
	servers := map[net.Listener]*http.Server{
		page: {Handler: s.Handler(), BaseContext: base, ReadHeaderTimeout: 10 * time.Second},
		ask:  {Handler: s.invitations(cancel), BaseContext: base, ReadHeaderTimeout: 10 * time.Second},
	}
	failed := make(chan error, len(servers))
	for l, server := range servers {
		go func() { failed <- server.Serve(l) }()
	}
	var err error
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case err = <-failed:
			ended = true
		case <-tick.C:
			ended = s.idle() > quiet
		}
	}
	cancel()
	for _, server := range servers {
		err = errors.Join(err, server.Close())
	}
	return err
}

// invitations is what berth ui asks over the owner's socket.
func (s *Server) invitations(quit func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /open", func(w http.ResponseWriter, _ *http.Request) {
		defer s.busy()()
		file, err := s.Invite()
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, invitation{file, s.cfg.About.Version})
	})
	mux.HandleFunc("POST /quit", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // before the connection goes
		quit()
	})
	return mux
}
