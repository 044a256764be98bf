package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/internal/errdefs"
)

// TLSOptions are docker's --tls flags, "" and nil where they were not given.
type TLSOptions struct {
	Use           bool  // --tls
	Verify        *bool // --tlsverify
	CA, Cert, Key string
}

// files says what TLS to speak, as docker's command line decides it; nil is none. Files that nobody named and that are
// not there are left out.
func (o TLSOptions) files(q Query) *TLSFiles {
	verify := q.Getenv("DOCKER_TLS_VERIFY") != ""
	if o.Verify != nil {
		verify = *o.Verify
	}
	if !verify && o.Verify == nil && !o.Use && q.Getenv("DOCKER_TLS") == "" {
		return nil
	}
	dir := q.Getenv("DOCKER_CERT_PATH")
	if dir == "" {
		dir = q.ConfigDir
	}
	t := &TLSFiles{CA: o.CA, Cert: o.Cert, Key: o.Key, SkipVerify: !verify}
	if t.CA == "" {
		t.CA = filepath.Join(dir, "ca.pem")
	}
	for name, file := range map[string]*string{"cert.pem": &t.Cert, "key.pem": &t.Key} {
		if *file != "" {
			continue
		}
		*file = filepath.Join(dir, name)
		if _, err := os.Stat(*file); errors.Is(err, os.ErrNotExist) {
			*file = ""
		}
	}
	return t
}

// config reads the files.
func (t *TLSFiles) config(host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.SkipVerify} // --tlsverify=false asks for it
	if t.CA != "" && !t.SkipVerify {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, errdefs.Invalid("the engine's CA certificate: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errdefs.Invalid("the engine's CA certificate: %s has no certificate", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, errdefs.Invalid("the client's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// secure speaks TLS over a connection to addr.
func (t *TLSFiles) secure(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	cfg, err := t.config(host)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, errdefs.Unavailable("the engine at tcp://%s: %w", addr, err).
			WithHint("Check the certificates: --tlscacert, --tlscert, --tlskey or DOCKER_CERT_PATH.")
	}
	return secured, nil
}
