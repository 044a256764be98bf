package ui

import (
	"html/template"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/internal/errdefs"
)

var errSpent = errdefs.Unauthorized("this way into the window has been used, or is older than %s", onceLife).WithHint("Run berth ui again.")

// redirect leads a browser to the window. The token is behind a #: a browser keeps that to itself.
var redirect = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={{.}}">
<title>berth</title>
<a href="{{.}}">berth</a>
`))

// Invite writes the redirect file, which only the person can read, and gives its path. It leads in once, within two
// minutes. An argument of a process, in its place, would be everybody's to read.
func (s *Server) Invite() (string, error) {
	file := s.cfg.Layout.Redirect()
	f, err := os.CreateTemp(filepath.Dir(file), ".open-") // mode 0600
	if err != nil {
		return "", errdefs.System("the window's redirect file: %w", err)
	}
	err = redirect.Execute(f, "http://"+s.addr+"/#once="+s.once.issue(struct{}{}))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", errdefs.System("the window's redirect file: %w", err)
	}
	return file, nil
}

// forget removes the redirect file once its token is spent.
func (s *Server) forget() { _ = os.Remove(s.cfg.Layout.Redirect()) }
