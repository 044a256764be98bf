package ui

import (
	"net/http"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// policy lets the page run its own files and talk to its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

// inert is the policy of everything that is not the page: an answer of a container that a browser showed would do nothing.
const inert = "default-src 'none'; sandbox; frame-ancestors 'none'"

// headers are on every answer.
func headers(h http.Header) {
	h.Set("Content-Security-Policy", inert)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), usb=(), serial=()")
	h.Set("Cache-Control", "no-store")
}

// here refuses a request under any name but this server's own: a name that somebody's DNS points at 127.0.0.1 is
// another site to the browser, with our answers.
func (s *Server) here(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers(w.Header())
		if r.Host != s.addr || !strings.HasPrefix(r.RequestURI, "/") { // the whole address in its place is for proxies
			refuse(w, errdefs.Forbidden("this is not %s", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// own refuses what another site's page asks for. Browsers say where a request comes from; where they do not, the token
// decides alone.
func (s *Server) own(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		if (origin != "" && origin != "http://"+s.addr) || (site != "" && site != "same-origin") {
			refuse(w, errdefs.Forbidden("another site's page has no business here"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// known refuses who has no token. It travels in a header, which no other site's page can set and no form can send.
func (s *Server) known(next http.Handler) http.Handler {
	return s.own(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !s.sessions.use(token) {
			refuse(w, errdefs.Unauthorized("this tab may not talk to the engine any more").WithHint("Run berth ui again."))
			return
		}
		defer s.busy()()
		next.ServeHTTP(w, r)
	}))
}
