package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/registry"
)

// decodeAuth reads an X-Registry-Auth header: JSON in base64url, with or without padding. "" is nobody.
func decodeAuth(header string) (*registry.AuthConfig, error) {
	if header == "" {
		return &registry.AuthConfig{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(header, "="))
	if err != nil {
		return nil, errdefs.Invalid("invalid X-Registry-Auth header: must be a valid base64url-encoded string")
	}
	auth := &registry.AuthConfig{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(auth); err != nil {
		return nil, errdefs.Invalid("invalid X-Registry-Auth header: invalid JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errdefs.Invalid("invalid X-Registry-Auth header: multiple JSON documents not allowed")
	}
	return auth, nil
}

// auth is who the client says it is. As in dockerd an unreadable header counts as none: the registry then answers.
func (s *Server) auth(c *call) *registry.AuthConfig {
	auth, err := decodeAuth(c.r.Header.Get(registry.AuthHeader))
	if err != nil {
		s.Log.Warn("credentials of a request ignored", "path", c.r.URL.Path, "error", err)
		return &registry.AuthConfig{}
	}
	return auth
}
