// Package window is the verb that opens the window in the person's browser. The page is served by another program, the
// host agent's, which this one starts where it does not run.
package window

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// Verbs are those of the window.
func Verbs(s *session.Session) []*cobra.Command { return []*cobra.Command{newUI(s)} }

func newUI(s *session.Session) *cobra.Command {
	var show bool
	c := &cobra.Command{Use: "ui", Short: "Open the window: containers, images and the rest in your browser", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		file, err := invited(c.Context(), s)
		if err != nil {
			return err
		}
		link := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
		if !show {
			if err = open(c.Context(), file, s.Getenv); err == nil {
				fmt.Fprintln(s.Out, "The window opens in your browser.")
				return nil
			}
			fmt.Fprintln(s.Err, "berth: no browser was opened:", err)
		}
		fmt.Fprintln(s.Out, link)
		fmt.Fprintln(s.Err, "Open this page in your browser within two minutes. It lets one tab in, and only you can read it.")
		return nil
	}
	c.Flags().BoolVar(&show, "no-browser", false, "Print the page to open instead of opening it")
	return c
}

// invited gives the redirect file, from a server of this version.
func invited(ctx context.Context, s *session.Session) (string, error) {
	ep, err := s.Endpoint()
	if err != nil {
		return "", err
	}
	if ep.TLS != nil && ep.Context == endpoint.DefaultContext {
		return "", errdefs.NotImplemented("the window takes certificates from a context alone").WithHint("Make one: berth context create NAME --docker host=%s,ca=...", ep.Host)
	}
	cl, err := s.Client()
	if err == nil {
		_, err = cl.Ping(ctx, client.PingOptions{}) // starts the engine where that is ours to do
	}
	if err != nil {
		return "", err
	}
	layout := paths.WindowFor(ep.Host, s.Getenv)
	for range 2 {
		if err := endpoint.StartWindow(ctx, layout, flags(s, ep)); err != nil {
			return "", err
		}
		in, err := invite(ctx, layout)
		if err != nil {
			return "", err
		}
		if in.Version == buildinfo.Version() {
			return in.File, nil
		}
		if err := retire(ctx, layout); err != nil { // another version's
			return "", err
		}
	}
	return "", errdefs.Unavailable("the window's server is of another version than berth").WithHint("Install berth and berth-hostagent of the same release.")
}

func flags(s *session.Session, ep endpoint.Endpoint) []string {
	f := []string{"--config", s.ConfigDir()}
	if ep.Context != endpoint.DefaultContext {
		return append(f, "--context", ep.Context)
	}
	return append(f, "--host", ep.Host)
}

type invitation struct {
	File    string `json:"file"`
	Version string `json:"version"`
}

func invite(ctx context.Context, l paths.Window) (in invitation, err error) {
	resp, err := post(ctx, l, "/open")
	if err != nil {
		return in, errdefs.Unavailable("the window's server: %w", err).WithHint("Its log is %s", l.Log())
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err == nil && in.File == "" {
		err = errors.New(string(b))
	}
	if err != nil {
		return in, errdefs.Unavailable("the window's server: %w", err).WithHint("Its log is %s", l.Log())
	}
	return in, nil
}

// retire asks a server to go and waits until it has.
func retire(ctx context.Context, l paths.Window) error {
	if resp, err := post(ctx, l, "/quit"); err == nil {
		_ = resp.Body.Close()
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(l.Socket()); err != nil {
			return nil
		}
	}
	return errdefs.Unavailable("a window of another version does not end").WithHint("Its log is %s", l.Log())
}

func post(ctx context.Context, l paths.Window, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://window"+path, nil)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", l.Socket())
	}}
	return t.RoundTrip(req)
}
