package companion

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// dirs are where packages install a companion that is not beside berth. PATH is not searched.
var dirs = []string{"/usr/local/libexec/berth", "/usr/libexec/berth"}

// find is the path of a companion.
func find(name string) (string, error) {
	file := name
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	for _, dir := range endpoint.ProgramDirs(dirs) {
		path := filepath.Join(dir, file)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", errdefs.Unavailable("%s, which carries this command out, is not here", name).
		WithHint("Install it beside berth.")
}

// environment is what tells a docker client which engine was chosen: an address or the name of a context, never both.
func environment(base []string, ep endpoint.Endpoint, configDir string, tls endpoint.TLSOptions) []string {
	replaced := []string{paths.EnvDockerHost, endpoint.EnvContext, "DOCKER_CONFIG"}
	if tls.Verify != nil {
		replaced = append(replaced, "DOCKER_TLS_VERIFY") // the flag's word counts
	}
	env := slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		for _, name := range replaced {
			if len(kv) > len(name) && kv[:len(name)] == name && kv[len(name)] == '=' {
				return true
			}
		}
		return false
	})
	env = append(env, "DOCKER_CONFIG="+configDir)
	if ep.Context != endpoint.DefaultContext {
		return append(env, endpoint.EnvContext+"="+ep.Context)
	}
	return append(env, paths.EnvDockerHost+"="+ep.Host)
}

// run carries a verb out with the companion's program. The engine is started first where the verb speaks to it.
func run(ctx context.Context, s *session.Session, program string, args []string) error {
	path, err := find(program)
	if err != nil {
		return err
	}
	ep, err := s.Endpoint()
	if err != nil {
		return err
	}
	_, inMachine := ep.Machine(s.Getenv)
	if (ep.IsOwn() || inMachine) && asksEngine(args) {
		if err := start(ctx, ep, s.Err); err != nil {
			return err
		}
	}
	argv := slices.Concat([]string{program}, tlsArgs(s.TLS, ep), args)
	return replace(path, argv, environment(os.Environ(), ep, s.ConfigDir(), s.TLS), s)
}

// start makes sure that berth's own engine runs: companions cannot start it.
func start(ctx context.Context, ep endpoint.Endpoint, notice io.Writer) error {
	conn, err := (&endpoint.Dialer{Endpoint: ep, Notice: notice}).Dial(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// asksEngine is false for what a companion answers by itself.
func asksEngine(args []string) bool {
	return len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool {
		return slices.Contains([]string{"-h", "--help", "help", "version", "config"}, a)
	})
}
