package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// archivePath reads the container and the path that all three archive verbs want.
func (c *call) archivePath() (name, path string, err error) {
	path = c.query.Get("path")
	switch {
	case c.name == "":
		return "", "", errdefs.Invalid("bad parameter: name")
	case path == "":
		return "", "", errdefs.Invalid("bad parameter: path")
	}
	return c.name, path, nil
}

func setPathStat(h http.Header, stat container.PathStat) error {
	data, err := json.Marshal(stat)
	if err != nil {
		return fmt.Errorf("encoding the path's stat: %w", err)
	}
	h.Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(data))
	return nil
}

func (s *Server) archiveStat(c *call) error {
	name, path, err := c.archivePath()
	if err != nil {
		return err
	}
	stat, err := s.Archive.ContainerStatPath(c.ctx(), name, path)
	if err != nil {
		return err
	}
	return setPathStat(c.w.Header(), stat)
}

func (s *Server) archiveGet(c *call) error {
	name, path, err := c.archivePath()
	if err != nil {
		return err
	}
	tar, stat, err := s.Archive.ContainerGetArchive(c.ctx(), name, path)
	if err != nil {
		return err
	}
	if err := setPathStat(c.w.Header(), stat); err != nil {
		return errors.Join(err, tar.Close())
	}
	err = c.raw("application/x-tar", func(w *response) error {
		_, err := io.Copy(w, tar)
		return err
	})
	return errors.Join(err, tar.Close())
}

func (s *Server) archivePut(c *call) error {
	name, path, err := c.archivePath()
	if err != nil {
		return err
	}
	return s.Archive.ContainerPutArchive(c.ctx(), name, path, c.flag("noOverwriteDirNonDir"), c.flag("copyUIDGID"), c.r.Body)
}

func (s *Server) containerExport(c *call) error {
	return c.raw("application/octet-stream", func(w *response) error {
		return s.Archive.ContainerExport(c.ctx(), c.name, w)
	})
}
