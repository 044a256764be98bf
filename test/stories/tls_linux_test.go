package stories

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
)

// The engine on TCP: whoever has a certificate of its authority works as on the unix socket, hijacked streams
// included; nobody else is answered, and a client does not talk to an engine with another name.
func TestTCPTakesVerifiedCertificatesOnly(t *testing.T) {
	w := harness.Empty(t, harness.StateDir(t))
	ca, foreign := harness.NewAuthority(t), harness.NewAuthority(t)
	good := ca.Certs("", nil)
	serve := func(addr string, certs string) []string {
		return []string{"--host", "tcp://" + addr, "--tlsverify", "--tlscacert", filepath.Join(certs, "ca.pem"),
			"--tlscert", filepath.Join(certs, "cert.pem"), "--tlskey", filepath.Join(certs, "key.pem")}
	}
	w.Args = append(serve("127.0.0.1:2399", ca.Certs("127.0.0.1", nil)), "--host", "tcp://127.0.0.2:2399")
	w.Registry = harness.NewRegistry(t, nil)
	w.Start()
	w.Take("bb", harness.Busybox(t))
	over := func(host, certs, in string, args ...string) (string, error) {
		c := exec.Command(filepath.Join(harness.Bin(), "berth"), args...)
		c.Env = []string{"BERTH_HOST=tcp://" + host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certs, "DOCKER_CONFIG=" + t.TempDir(), "PATH=/bin"}
		c.Stdin = strings.NewReader(in)
		timer := time.AfterFunc(30*time.Second, func() { c.Process.Kill() })
		defer timer.Stop()
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := over("127.0.0.1:2399", good, "hello\n", "run", "-i", "--rm", "bb", "cat"); err != nil || out != "hello\n" {
		t.Errorf("run over TLS: %q, %v", out, err)
	}
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	for name, c := range map[string]struct{ host, certs, want string }{
		"no certificate":          {"127.0.0.1:2399", only(t, good, "ca.pem"), "certificate required"},
		"of another authority":    {"127.0.0.1:2399", mixed(t, good, foreign.Certs("", nil)), "unknown certificate authority"},
		"expired":                 {"127.0.0.1:2399", ca.Certs("", expired), "expired certificate"},
		"not a client's":          {"127.0.0.1:2399", ca.Certs("", server), "bad certificate"},
		"the engine's is foreign": {"127.0.0.1:2399", foreign.Certs("", nil), "unknown authority"},
		"the engine's other name": {"127.0.0.2:2399", good, "certificate is valid for 127.0.0.1, not 127.0.0.2"},
	} {
		if out, err := over(c.host, c.certs, "", "ps"); err == nil || !strings.Contains(out, c.want) || strings.Contains(out, "CONTAINER ID") {
			t.Errorf("%s: %q, %v; want %q", name, out, err, c.want)
		}
	}
	plain := exec.Command(filepath.Join(harness.Bin(), "berth"), "-H", "tcp://127.0.0.1:2399", "ps")
	plain.Env = []string{"DOCKER_CONFIG=" + t.TempDir()}
	if out, err := plain.CombinedOutput(); err == nil || strings.Contains(string(out), "CONTAINER ID") {
		t.Errorf("without TLS: %q", out)
	}
}

// An engine told to be open says in one line that it will not be.
func TestPlainTCPIsRefused(t *testing.T) {
	w := harness.Empty(t, harness.StateDir(t))
	for _, args := range [][]string{{"-H", "tcp://127.0.0.1:2375"}, {"-H", "tcp://127.0.0.1:2375", "--tlsverify=false"}} {
		c := harness.Engine(w.Layout.Root)
		c.Args = append(c.Args, args...)
		out, err := c.CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), `berth-engine: host "tcp://127.0.0.1:2375": TCP is served only with --tlsverify`) {
			t.Errorf("%q: %q, %v", args, out, err)
		}
	}
}

// only copies the files named into a new directory.
func only(t *testing.T, from string, names ...string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range names {
		copyFile(t, filepath.Join(from, name), filepath.Join(to, name))
	}
	return to
}

// mixed trusts one authority and shows a certificate of another.
func mixed(t *testing.T, trusted, shown string) string {
	t.Helper()
	to := only(t, shown, "cert.pem", "key.pem")
	copyFile(t, filepath.Join(trusted, "ca.pem"), filepath.Join(to, "ca.pem"))
	return to
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
