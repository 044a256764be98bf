package ui

import (
	"archive/tar"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"

	"github.com/berthhq/berth/internal/errdefs"
)

// download is what a ticket is for: a file or directory of a container.
type download struct {
	Container string `json:"container"`
	Path      string `json:"path"`
}

// ticket makes an address that a browser can open without the token, once.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request) {
	var d download
	if err := read(r, &d); err != nil {
		refuse(w, err)
		return
	}
	if err := permitted(s.routes, http.MethodGet, &url.URL{Path: "/containers/" + d.Container + "/archive"}); err != nil {
		refuse(w, err)
		return
	}
	answer(w, map[string]string{"address": "/download/" + s.tickets.issue(d)})
}

// download answers with the file itself, or with a tar of a directory.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	d, ok := s.tickets.spend(r.PathValue("ticket"))
	if !ok {
		refuse(w, errdefs.NotFound("this download is over").WithHint("Start it again from the window."))
		return
	}
	defer s.busy()()
	q := url.Values{"path": {d.Path}}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+engineName+"/containers/"+d.Container+"/archive?"+q.Encode(), nil)
	if err != nil {
		refuse(w, errdefs.Invalid("%w", err))
		return
	}
	resp, err := s.engine.RoundTrip(req)
	if err != nil {
		refuse(w, engineError(err))
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var f failure
		_ = json.NewDecoder(io.LimitReader(resp.Body, mostBody)).Decode(&f)
		refuse(w, errdefs.NotFound("%s: %s", d.Path, f.Message))
		return
	}
	if err := hand(w, resp, path.Base(d.Path)); err != nil {
		panic(http.ErrAbortHandler) // the browser must not take half a file for a whole one
	}
}

func hand(w http.ResponseWriter, resp *http.Response, name string) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	if !isFile(resp.Header.Get("X-Docker-Container-Path-Stat")) {
		attach(w, name+".tar")
		_, err := io.Copy(w, resp.Body)
		return err
	}
	t := tar.NewReader(resp.Body)
	if _, err := t.Next(); err != nil {
		return err
	}
	attach(w, name)
	_, err := io.Copy(w, t)
	return err
}

func attach(w http.ResponseWriter, name string) {
	v := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if v == "" {
		v = "attachment"
	}
	w.Header().Set("Content-Disposition", v)
}

// isFile reads the header in which the engine says what a path is.
func isFile(stat string) bool {
	b, err := base64.StdEncoding.DecodeString(stat)
	var st struct {
		Mode fs.FileMode `json:"mode"`
	}
	err = errors.Join(err, json.Unmarshal(b, &st))
	return err == nil && st.Mode.IsRegular()
}
