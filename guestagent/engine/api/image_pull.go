package api

import (
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// imageCreate pulls, or makes an image of a tar.
func (s *Server) imageCreate(c *call) error {
	from := c.query.Get("fromImage")
	if from == "" {
		if c.query.Get("fromSrc") != "" {
			return s.imageImport(c)
		}
		return errdefs.Invalid("fromImage cannot be empty")
	}
	platform, err := c.platformName(32)
	if err != nil {
		return err
	}
	ref, err := joinReference(strings.TrimSuffix(from, ":"), c.query.Get("tag"))
	if err != nil {
		return err
	}
	return c.progress(func(w *flushWriter) error {
		return s.Image.ImagePull(c.ctx(), ref.String(), platform, s.auth(c), w)
	})
}

// imageImport makes an image of a tar: the request's body, or what an address has.
func (s *Server) imageImport(c *call) error {
	platform, err := c.platformName(32)
	if err != nil {
		return err
	}
	o := ImportOptions{Source: c.query.Get("fromSrc"), Message: c.query.Get("message"), Platform: platform, Changes: c.query["changes"]}
	if repo := c.query.Get("repo"); repo != "" {
		named, err := joinReference(repo, c.query.Get("tag"))
		if err != nil {
			return err
		}
		if _, ok := named.(reference.Digested); ok {
			return errdefs.Invalid("cannot import digest reference")
		}
		o.Name = reference.TagNameOnly(named).String()
	}
	return c.progress(func(w *flushWriter) error {
		return s.Image.ImageImport(c.ctx(), c.r.Body, o, w)
	})
}

// joinReference puts a tag or a digest to a name.
func joinReference(name, tag string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	if tag == "" {
		return named, nil
	}
	var out reference.Named
	if dgst, digestErr := digest.Parse(tag); digestErr == nil {
		out, err = reference.WithDigest(reference.TrimNamed(named), dgst)
	} else {
		out, err = reference.WithTag(reference.TrimNamed(named), tag)
	}
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return out, nil
}

func (s *Server) imagePush(c *call) error {
	platform, err := c.platformJSON(46)
	if err != nil {
		return err
	}
	ref, err := joinReference(c.name, c.query.Get("tag"))
	if err != nil {
		return err
	}
	return c.progress(func(w *flushWriter) error {
		return s.Image.ImagePush(c.ctx(), ref.String(), platform, s.auth(c), w)
	})
}
