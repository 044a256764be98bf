package ui

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// id is one object's name or ID in a path; ref is an image's, which may have slashes and a port.
const (
	id  = `[A-Za-z0-9][A-Za-z0-9_.-]*`
	ref = `[A-Za-z0-9][A-Za-z0-9_.:/@-]*`
)

// allowed is what the page may ask the engine for. What is not here is refused, whatever the engine would say: it is
// what the window uses and no more.
func allowed() []*route {
	return []*route{
		allow("GET", `/(_ping|version|info|events|system/df)`),
		allow("GET", `/(containers|images)/json`),
		allow("GET", `/(volumes|networks)`),
		allow("GET", `/containers/`+id+`/(json|top|stats|logs|changes)`),
		allow("GET HEAD PUT", `/containers/`+id+`/archive`),
		allow("POST", `/containers/create`),
		allow("POST", `/containers/`+id+`/(start|stop|restart|kill|pause|unpause|rename|update|resize|exec|attach)`),
		allow("DELETE", `/containers/`+id),
		allow("POST", `/(containers|images|volumes|networks)/prune`),
		allow("GET", `/exec/`+id+`/json`),
		allow("POST", `/exec/`+id+`/(start|resize)`),
		allow("GET", `/images/search`),
		allow("GET", `/images/`+ref+`/(json|history)`),
		allow("POST", `/images/create`),
		allow("POST", `/images/`+ref+`/tag`),
		allow("DELETE", `/images/`+ref),
		allow("GET DELETE", `/(volumes|networks)/`+id),
		allow("POST", `/(volumes|networks)/create`),
		allow("POST", `/networks/`+id+`/(connect|disconnect)`),
		allow("POST", `/berth/containers/`+id+`/edit`),
	}
}

type route struct {
	methods []string
	path    *regexp.Regexp
}

func allow(methods, pattern string) *route {
	return &route{strings.Fields(methods), regexp.MustCompile(`^` + pattern + `$`)}
}

// permitted says whether a request may go to the engine. The path must be in the one form in which it reads the same to
// everybody: nothing escaped, no dots, no empty parts.
func permitted(routes []*route, method string, u *url.URL) error {
	p := u.Path
	if u.RawPath == "" && p == path.Clean(p) && u.EscapedPath() == p {
		for _, r := range routes {
			if r.path.MatchString(p) {
				for _, m := range r.methods {
					if m == method {
						return nil
					}
				}
			}
		}
	}
	return errdefs.Forbidden("the window does not ask the engine to %s %s", method, p)
}

// given are the headers that go to the engine with a request; nothing else of a browser's does.
func given(from http.Header) http.Header {
	to := http.Header{}
	if t := from.Get("Content-Type"); t != "" {
		to.Set("Content-Type", t)
	}
	return to
}
