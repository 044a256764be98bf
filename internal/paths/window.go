package paths

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// Window names what the server of the window for one engine keeps: a directory of the person's own, mode 0700.
type Window struct{ Dir string }

// WindowFor is the window for an engine's address.
func WindowFor(host string, getenv func(string) string) Window {
	sum := sha256.Sum256([]byte(host))
	return Window{Dir: filepath.Join(filepath.Dir(MachinesDir(getenv)), "window", hex.EncodeToString(sum[:6]))}
}

// Socket takes the requests of berth ui, mode 0600.
func (w Window) Socket() string { return filepath.Join(w.Dir, "window.sock") }

// Lock is held, with the server's pid in it, as long as a server serves this window.
func (w Window) Lock() string { return filepath.Join(w.Dir, "window.lock") }

// Log is where a server that a command started writes its messages.
func (w Window) Log() string { return filepath.Join(w.Dir, "window.log") }

// Port has the port of the page's listener, in digits, as long as it is served: machines keep their containers from it.
func (w Window) Port() string { return filepath.Join(w.Dir, "window.port") }

// Windows are those that a server was started for, whatever their engine.
func Windows(getenv func(string) string) (all []Window) {
	dirs, _ := filepath.Glob(filepath.Join(filepath.Dir(MachinesDir(getenv)), "window", "*"))
	for _, d := range dirs {
		all = append(all, Window{Dir: d})
	}
	return all
}

// Redirect is the page that leads a browser to the window, mode 0600: it has a token that works once.
func (w Window) Redirect() string { return filepath.Join(w.Dir, "open.html") }

// Projects holds the compose files that were dropped into the window, a directory a project.
func (w Window) Projects() string { return filepath.Join(w.Dir, "projects") }
