package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/image"
)

func (s *Server) imageInspect(c *call) error {
	manifests := c.flag("manifests") && !c.version.Before(48)
	platform, err := c.platformJSON(49)
	if err != nil {
		return err
	}
	if manifests && platform != nil {
		return errdefs.Invalid("conflicting options: manifests and platform options are mutually exclusive")
	}
	resp, err := s.Image.ImageInspect(c.ctx(), c.name, platform, manifests)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, imageFor(c.version, resp))
}

// legacyImage is GET /images/{name}/json before 1.52, whose fields were never left out.
type legacyImage struct {
	*image.InspectResponse
	Parent        string
	Comment       string
	DockerVersion string
	Author        string
	VirtualSize   *int64 `json:",omitempty"`
	Config        *legacyImageConfig
}

// legacyImageConfig has the fields of the image's configuration that were never left out. Until 1.50 there were also
// those of a container's, always empty.
type legacyImageConfig struct {
	*dockerspec.DockerOCIImageConfig
	User       string
	Env        []string
	Cmd        []string
	Volumes    map[string]struct{}
	WorkingDir string
	Entrypoint []string
	OnBuild    []string
	Labels     map[string]string
	*containerFields
}

type containerFields struct {
	Hostname, Domainname, Image             string
	AttachStdin, AttachStdout               bool
	AttachStderr, Tty, OpenStdin, StdinOnce bool
}

// imageFor gives the answer in the shape of a version.
func imageFor(v Version, resp *image.InspectResponse) any {
	if !v.Before(52) {
		return resp
	}
	out := legacyImage{InspectResponse: resp, Comment: resp.Comment, Author: resp.Author}
	if v.Before(48) {
		short := *resp
		short.Descriptor, short.Manifests = nil, nil
		out.InspectResponse = &short
	}
	if v.Before(44) {
		out.VirtualSize = &resp.Size
	}
	if cfg := resp.Config; cfg != nil {
		out.Config = &legacyImageConfig{
			DockerOCIImageConfig: cfg, User: cfg.User, Env: cfg.Env, Cmd: cfg.Cmd, Volumes: cfg.Volumes,
			WorkingDir: cfg.WorkingDir, Entrypoint: cfg.Entrypoint, OnBuild: cfg.OnBuild, Labels: cfg.Labels,
		}
		if v.Before(50) {
			out.Config.containerFields = &containerFields{}
		}
	}
	return out
}
