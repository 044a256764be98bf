package ui

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// passed are the headers of an engine's answer that the page sees.
var passed = []string{"Content-Type", "Content-Length", "X-Docker-Container-Path-Stat", "Berth-Hint", "Api-Version", "Server"}

// bridge sends the requests below /engine to the engine.
func (s *Server) bridge() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = &url.URL{Scheme: "http", Host: engineName, Path: p.In.URL.Path, RawQuery: p.In.URL.RawQuery}
			p.Out.Host = engineName
			p.Out.Header = given(p.In.Header)
		},
		Transport:     s.engine,
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusSwitchingProtocols {
				return errdefs.Invalid("connections that change their protocol go over /stream")
			}
			kept := http.Header{}
			for _, name := range passed {
				if v := r.Header.Get(name); v != "" {
					kept.Set(name, v)
				}
			}
			r.Header = kept
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, engineError(err)) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/engine")
		if r.URL.RawPath != "" {
			r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, "/engine")
		}
		if err := permitted(s.routes, r.Method, r.URL); err != nil {
			refuse(w, err)
			return
		}
		if r.Method != http.MethodPut { // a file that is uploaded may be of any size
			r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		}
		proxy.ServeHTTP(w, r)
	})
}

// engineName stands for the engine's host in requests; the connection goes wherever Config.Dial leads.
const engineName = "engine"

// engineError is why the engine did not answer, in words for a person.
func engineError(err error) error {
	if e, ok := errors.AsType[*errdefs.Error](err); ok {
		return e
	}
	return errdefs.Unavailable("the engine did not answer: %w", err).WithHint("It may be starting anew; the window tries again by itself.")
}
