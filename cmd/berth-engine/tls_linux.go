package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/config"
	"github.com/berthhq/berth/internal/errdefs"
)

// tlsPort is where docker's clients look for an engine that verifies them.
const tlsPort = "2376"

// completeTLS fills in what neither flags nor file say, as dockerd does: the environment, then ~/.docker.
func completeTLS(p *config.Paths, getenv func(string) string) {
	if p.TLSVerify == nil {
		verify := getenv("DOCKER_TLS_VERIFY") != ""
		p.TLSVerify = &verify
	}
	dir := getenv("DOCKER_CERT_PATH")
	if dir == "" {
		dir = filepath.Join(getenv("HOME"), ".docker")
	}
	for name, file := range map[string]*string{"ca.pem": &p.TLSCA, "cert.pem": &p.TLSCert, "key.pem": &p.TLSKey} {
		if *file == "" {
			*file = filepath.Join(dir, name)
		}
	}
}

// checkHosts refuses what would be open: who can speak to the engine owns the machine.
func checkHosts(hosts []string, verify bool) error {
	for _, h := range hosts {
		proto, addr, _ := strings.Cut(h, "://")
		switch {
		case proto == "unix" && addr != "":
		case proto == "tcp" && verify:
		case proto == "tcp":
			return errdefs.Invalid("host %q: TCP is served only with --tlsverify, which lets in nobody without a certificate of yours", h).
				WithHint("Set tlsverify, tlscacert, tlscert and tlskey, or forward the unix socket with ssh.")
		default:
			return errdefs.Invalid("host %q: not unix:///path or tcp://address:port", h)
		}
	}
	return nil
}

// serverTLS is the configuration of a listener that answers only clients whose certificate the CA has signed.
func serverTLS(p config.Paths) (*tls.Config, error) {
	ca, err := os.ReadFile(p.TLSCA)
	if err != nil {
		return nil, errdefs.Invalid("tlscacert: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errdefs.Invalid("tlscacert: %s has no certificate", p.TLSCA)
	}
	pair, err := tls.LoadX509KeyPair(p.TLSCert, p.TLSKey)
	if err != nil {
		return nil, errdefs.Invalid("tlscert %s, tlskey %s: %w", p.TLSCert, p.TLSKey, err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"}, // connections are taken over, which HTTP/2 cannot
	}, nil
}

// listenTLS opens tcp://addr for clients with a certificate.
func listenTLS(addr string, p config.Paths) (net.Listener, error) {
	cfg, err := serverTLS(p)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = strings.Trim(addr, "[]"), ""
	}
	if addr == "" {
		host = "localhost"
	}
	if port == "" {
		port = tlsPort
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, errdefs.System("opening tcp://%s: %w", addr, err)
	}
	return tls.NewListener(l, cfg), nil
}
