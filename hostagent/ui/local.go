package ui

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/porthold"
)

// mostFolders bounds a listing.
const mostFolders = 2000

// local answers what concerns the person's computer rather than the engine.
func (s *Server) local() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /local/about", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.cfg.About) })
	mux.HandleFunc("GET /local/folders", s.folders)
	mux.HandleFunc("GET /local/port", s.port)
	mux.HandleFunc("POST /local/run-line", s.runLine)
	mux.HandleFunc("POST /local/parse-run", s.parseRun)
	s.machines(mux)
	return mux
}

// folder is a directory to choose from.
type folder struct {
	Path    string   `json:"path"`
	Parent  string   `json:"parent,omitempty"`
	Folders []string `json:"folders"` // their names
}

// folders lists the directories in one, as the person sees them.
func (s *Server) folders(w http.ResponseWriter, r *http.Request) {
	if !s.cfg.About.Local {
		refuse(w, errdefs.NotImplemented("the engine at %s is on another computer, whose folders cannot be listed", s.cfg.About.Engine).
			WithHint("Type the path of a folder there."))
		return
	}
	dir := filepath.Clean(cmp.Or(r.URL.Query().Get("path"), s.cfg.About.Home, string(filepath.Separator)))
	if !filepath.IsAbs(dir) {
		refuse(w, errdefs.Invalid("%q is not a whole path", dir))
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		refuse(w, errdefs.NotFound("reading folder %s: %w", dir, err))
		return
	}
	f := folder{Path: dir, Folders: []string{}}
	if up := filepath.Dir(dir); up != dir {
		f.Parent = up
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() && len(f.Folders) < mostFolders {
			f.Folders = append(f.Folders, e.Name())
		}
	}
	slices.Sort(f.Folders)
	answer(w, f)
}

// port says whether a port of this computer is free, who has it, and which one near it is.
func (s *Server) port(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.URL.Query().Get("port"), 10, 16)
	if err != nil || n == 0 {
		refuse(w, errdefs.Invalid("%q is not a port: 1 to 65535", r.URL.Query().Get("port")))
		return
	}
	proto := cmp.Or(r.URL.Query().Get("proto"), "tcp")
	if proto != "tcp" && proto != "udp" {
		refuse(w, errdefs.Invalid("%q is neither tcp nor udp", proto))
		return
	}
	type state struct {
		Free   bool   `json:"free"`
		Holder string `json:"holder,omitempty"`
		Next   uint16 `json:"next,omitempty"`
	}
	port := uint16(n)
	st := state{Free: free(proto, port)}
	if !st.Free {
		st.Holder = porthold.Find(proto, netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	}
	for next := uint32(port); next <= 65535 && next < uint32(port)+200; next++ {
		if free(proto, uint16(next)) {
			st.Next = uint16(next)
			break
		}
	}
	answer(w, st)
}

// free tries the port. Where the kernel keeps it for root, the engine may have it all the same: that is no conflict.
func free(proto string, port uint16) bool {
	addr := ":" + strconv.Itoa(int(port))
	var err error
	if proto == "udp" {
		var c net.PacketConn
		if c, err = net.ListenPacket("udp", addr); err == nil {
			_ = c.Close()
		}
	} else {
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			_ = l.Close()
		}
	}
	return err == nil || errors.Is(err, fs.ErrPermission)
}
