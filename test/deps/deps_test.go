// Package deps keeps what each program may be linked from: start-up time, size and the layers of docs/architecture.md
// depend on it.
package deps

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/berthhq/berth/"

// rule is what one program must not contain, and why.
type rule struct {
	program string
	tags    string
	cgo     string
	banned  map[string]string // import path prefix: reason
	allowed []string          // exceptions to banned prefixes
}

func rules() []rule {
	heavy := map[string]string{
		"github.com/opencontainers/runc":     "libcontainer lives in berth-supervisor alone: it re-executes its program for every container",
		"github.com/moby/buildkit":           "images are built by the engine alone",
		"github.com/docker/compose":          "Compose is a program of its own",
		"github.com/compose-spec":            "Compose is a program of its own",
		"github.com/docker/cli/cli/command/": "docker's verbs cost 12-20 ms of package start-up",
	}
	with := func(more map[string]string) map[string]string {
		out := map[string]string{}
		for _, m := range []map[string]string{heavy, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	return []rule{
		{program: "berth", cgo: "0", allowed: []string{"github.com/docker/cli/cli/command/formatter"}, banned: with(map[string]string{
			"github.com/containerd/containerd": "the command line is a client of the API and nothing else",
			module + "guestagent":              "the command line is a client of the API and nothing else",
			module + "hostagent":               "the command line is a client of the API and nothing else",
		})},
		{program: "berth-engine", cgo: "0", allowed: []string{"github.com/moby/buildkit"}, banned: with(map[string]string{
			module + "hostagent": "the two agents meet in internal/agentapi",
			module + "cmd/berth": "the engine does not know its command line",
		})},
		{program: "berth-supervisor", cgo: "1", tags: "netgo osusergo seccomp", allowed: []string{"github.com/opencontainers/runc"}, banned: with(map[string]string{
			module + "guestagent/engine/api":       "the supervisor knows nothing of the engine",
			module + "guestagent/engine/container": "the supervisor knows nothing of the engine",
			module + "guestagent/engine/image":     "the supervisor knows nothing of the engine",
			module + "guestagent/engine/network":   "the supervisor knows nothing of the engine",
			module + "guestagent/engine/runtime":   "the supervisor knows nothing of the engine",
			"net/http":                             "the supervisor speaks one small protocol on one socket",
		})},
		{program: "berth-netd", cgo: "0", banned: with(map[string]string{
			"github.com/containerd/containerd": "small and resident",
			"net/http":                         "small and resident",
			"go.etcd.io/bbolt":                 "it keeps no database",
		})},
		{program: "berth-guestagent", cgo: "0", banned: with(map[string]string{
			module + "guestagent/engine":       "the guest agent knows the engine as a program and a socket",
			module + "hostagent":               "the two agents meet in internal/agentapi",
			"github.com/containerd/containerd": "PID 1 is small: the kernel ends with it",
			"net/http":                         "PID 1 is small: the kernel ends with it",
			"os/exec":                          "PID 1 reaps everybody: os/exec would wait for the same processes",
		})},
		{program: "berth-hostagent", cgo: "0", banned: with(map[string]string{
			module + "guestagent":                 "the two agents meet in internal/agentapi",
			module + "cmd/berth":                  "programs are made of packages, not the reverse",
			module + "hostagent/vm/vmtest":        "a machine without a hypervisor is for tests",
			"github.com/containerd/containerd/v2": "containers are the guest's: this program is small and resident, and a keeper of its kind stays for weeks",
			"go.etcd.io/bbolt":                    "it keeps no database",
			"testing":                             "a machine without a hypervisor is for tests",
		})},
		{program: "berth-sharerelay", cgo: "0", banned: with(map[string]string{
			module + "hostagent":               "the two agents meet in internal",
			module + "guestagent/engine":       "a process of its own, locked in memory, that carries bytes",
			"github.com/containerd/containerd": "a process of its own, locked in memory, that carries bytes",
			"net/http":                         "a process of its own, locked in memory, that carries bytes",
			"go.etcd.io/bbolt":                 "it keeps no database",
		})},
		{program: "berth-init", cgo: "0", banned: with(map[string]string{
			"github.com/containerd/containerd": "it runs once for every container",
			"net/http":                         "it runs once for every container",
			"github.com/sirupsen/logrus":       "it runs once for every container",
		})},
	}
}

func TestProgramsContainWhatTheyMay(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.program, func(t *testing.T) {
			if _, err := os.Stat("../../cmd/" + r.program); err != nil {
				t.Skipf("cmd/%s is not here", r.program)
			}
			for _, dep := range deps(t, r) {
				if reason := r.refuses(dep); reason != "" {
					t.Errorf("%s contains %s: %s", r.program, dep, reason)
				}
			}
		})
	}
}

func (r rule) refuses(dep string) string {
	for _, ok := range r.allowed {
		if strings.HasPrefix(dep, ok) {
			return ""
		}
	}
	for prefix, reason := range r.banned {
		if strings.HasPrefix(dep, prefix) && dep != module+"cmd/"+r.program {
			return reason
		}
	}
	return ""
}

func deps(t *testing.T, r rule) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-buildvcs=false", "-deps", "-tags", r.tags, "../../cmd/"+r.program)
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED="+r.cgo)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	list := strings.Fields(string(out))
	if len(list) < 10 {
		t.Fatalf("go list named only %d packages", len(list))
	}
	return list
}
