//go:build linux

package build

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/moby/api/types/registry"
	"github.com/tonistiigi/fsutil"
	"google.golang.org/grpc"
)

// ownSession is the session of a build whose client has none: it serves the context from a directory, and credentials.
type ownSession struct {
	*session.Session
	done chan error
}

// openSession opens one. Contexts of one key are kept by BuildKit between builds, and only what differs in size, time or
// mode is copied: archives whose files have equal times need keys of their own.
func (k *kit) openSession(ctx context.Context, key, dir string, creds map[string]registry.AuthConfig) (*ownSession, error) {
	sum := sha256.Sum256([]byte(key))
	s, err := session.NewSession(ctx, hex.EncodeToString(sum[:]))
	if err != nil {
		return nil, err
	}
	files, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	s.Allow(filesync.NewFSSyncProvider(filesync.StaticDirSource{"context": files, "dockerfile": files}))
	s.Allow(credentials{byRegistry: creds})
	own := &ownSession{Session: s, done: make(chan error, 1)}
	go func() {
		own.done <- s.Run(ctx, func(ctx context.Context, _ string, meta map[string][]string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { _ = k.sessions.HandleConn(ctx, far, meta) }() // ends with the session
			return near, nil
		})
	}()
	return own, nil
}

func (s *ownSession) end() {
	_ = s.Close()
	<-s.done
}

// credentials answers BuildKit's question for a name and a password.
type credentials struct {
	auth.UnimplementedAuthServer
	byRegistry map[string]registry.AuthConfig
}

// Register offers the service on a session.
func (c credentials) Register(s *grpc.Server) { auth.RegisterAuthServer(s, c) }

// Credentials gives what the client sent along for a registry's host; nothing for one that it did not.
func (c credentials) Credentials(_ context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	a := authFor(c.byRegistry, r.Host)
	if a == nil {
		return &auth.CredentialsResponse{}, nil
	}
	if a.IdentityToken != "" {
		return &auth.CredentialsResponse{Secret: a.IdentityToken}, nil
	}
	user, secret := a.Username, a.Password
	if user == "" && secret == "" {
		if b, err := base64.StdEncoding.DecodeString(a.Auth); err == nil {
			user, secret, _ = strings.Cut(string(b), ":")
		}
	}
	return &auth.CredentialsResponse{Username: user, Secret: secret}, nil
}

// authFor finds the credentials for a registry in what a client sent, nil where there are none. Docker Hub goes by
// several names.
func authFor(list map[string]registry.AuthConfig, host string) *registry.AuthConfig {
	names := []string{host}
	switch host {
	case "docker.io", "registry-1.docker.io", "index.docker.io":
		names = []string{"https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"}
	}
	for _, n := range names {
		if a, ok := list[n]; ok {
			return &a
		}
	}
	for key, a := range list {
		bare := strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
		bare, _, _ = strings.Cut(bare, "/")
		if bare == host {
			return &a
		}
	}
	return nil
}
