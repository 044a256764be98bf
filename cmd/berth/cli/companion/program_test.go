package companion

import (
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/endpoint"
	"github.com/spf13/cobra"
)

func TestEnvironmentNamesOneEngine(t *testing.T) {
	base := []string{"PATH=/bin", "DOCKER_HOST=tcp://other:1", "DOCKER_CONTEXT=other", "DOCKER_CONFIG=/other", "DOCKER_HOSTING=kept"}
	for _, c := range []struct {
		name string
		ep   endpoint.Endpoint
		want string
		not  string
	}{
		{"an address", endpoint.Endpoint{Host: "unix:///run/e.sock", Context: endpoint.DefaultContext}, "DOCKER_HOST=unix:///run/e.sock", "DOCKER_CONTEXT="},
		{"a context", endpoint.Endpoint{Host: "tcp://10.0.0.1:2376", Context: "far"}, "DOCKER_CONTEXT=far", "DOCKER_HOST="},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := environment(base, c.ep, "/home/me/.docker", endpoint.TLSOptions{})
			for _, want := range []string{c.want, "DOCKER_CONFIG=/home/me/.docker", "PATH=/bin", "DOCKER_HOSTING=kept"} {
				if !slices.Contains(env, want) {
					t.Errorf("%s is missing in %v", want, env)
				}
			}
			for _, kv := range env {
				if strings.HasPrefix(kv, c.not) {
					t.Errorf("%s is there, and would name another engine", kv)
				}
			}
		})
	}
	if base[1] != "DOCKER_HOST=tcp://other:1" {
		t.Error("the environment given was changed")
	}
}

func TestTLSFlagsAreHandedOn(t *testing.T) {
	yes, no := true, false
	host := endpoint.Endpoint{Host: "tcp://far:2376", Context: endpoint.DefaultContext}
	for _, c := range []struct {
		name   string
		opts   endpoint.TLSOptions
		ep     endpoint.Endpoint
		args   string
		verify bool // the environment's word stays
	}{
		{name: "none", ep: host, verify: true},
		{name: "verify", opts: endpoint.TLSOptions{Verify: &yes}, ep: host, args: "--tlsverify"},
		{name: "verify and the files", opts: endpoint.TLSOptions{Verify: &yes, CA: "/a", Cert: "/b", Key: "/c"}, ep: host,
			args: "--tlsverify --tlscacert /a --tlscert /b --tlskey /c"},
		{name: "tls alone", opts: endpoint.TLSOptions{Use: true}, ep: host, args: "--tls", verify: true},
		{name: "verify=false", opts: endpoint.TLSOptions{Verify: &no}, ep: host, args: "--tls"},
		{name: "a file, TLS by the environment", opts: endpoint.TLSOptions{CA: "/a"}, ep: host, args: "--tlscacert /a", verify: true},
		{name: "a context", opts: endpoint.TLSOptions{Use: true}, ep: endpoint.Endpoint{Host: "tcp://far:2376", Context: "far"}, verify: true},
	} {
		if got := strings.Join(tlsArgs(c.opts, c.ep), " "); got != c.args {
			t.Errorf("%s: %q, want %q", c.name, got, c.args)
		}
		env := environment([]string{"DOCKER_TLS_VERIFY=1"}, c.ep, "/d", c.opts)
		if slices.Contains(env, "DOCKER_TLS_VERIFY=1") != c.verify {
			t.Errorf("%s: %v", c.name, env)
		}
	}
}

func TestOnlyWhatAsksTheEngineStartsIt(t *testing.T) {
	for line, want := range map[string]bool{
		"up -d": true, "-f x.yml ps": true, "build .": true,
		"": false, "--help": false, "up --help": false, "version": false, "-f x.yml config": false,
	} {
		if got := asksEngine(strings.Fields(line)); got != want {
			t.Errorf("asksEngine(%q) = %v", line, got)
		}
	}
}

func TestProposals(t *testing.T) {
	got, directive := proposals("up\tCreate\nunpause\tGo on\n:4\n")
	if !slices.Equal(got, []string{"up\tCreate", "unpause\tGo on"}) || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("proposals = %q, %v", got, directive)
	}
	for _, bad := range []string{"", "up\n", "up\n4\n", "panic: x"} {
		if got, directive := proposals(bad); got != nil || directive != cobra.ShellCompDirectiveError {
			t.Errorf("proposals(%q) = %q, %v", bad, got, directive)
		}
	}
}
