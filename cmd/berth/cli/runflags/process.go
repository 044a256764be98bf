package runflags

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// processFlags describe the process: its program, environment, user, terminal.
type processFlags struct {
	attach, env, envFile, groupAdd opts.ListOpts
	entrypoint, user, workdir      string
	hostname, domainname           string
	stdin, tty                     bool
	umask                          opts.UmaskOpt
}

func (p *processFlags) add(fs *pflag.FlagSet) {
	p.attach = opts.NewListOpts(validateAttach)
	p.env = opts.NewListOpts(opts.ValidateEnv)
	p.envFile = opts.NewListOpts(nil)
	p.groupAdd = opts.NewListOpts(nil)
	fs.VarP(&p.attach, "attach", "a", "Attach to STDIN, STDOUT or STDERR")
	fs.VarP(&p.env, "env", "e", "Set environment variables")
	fs.Var(&p.envFile, "env-file", "Read in a file of environment variables")
	fs.StringVar(&p.entrypoint, "entrypoint", "", "Overwrite the default ENTRYPOINT of the image")
	fs.Var(&p.groupAdd, "group-add", "Add additional groups to join")
	fs.StringVarP(&p.hostname, "hostname", "h", "", "Container host name")
	fs.StringVar(&p.domainname, "domainname", "", "Container NIS domain name")
	fs.BoolVarP(&p.stdin, "interactive", "i", false, "Keep STDIN open even if not attached")
	fs.BoolVarP(&p.tty, "tty", "t", false, "Allocate a pseudo-TTY")
	fs.StringVarP(&p.user, "user", "u", "", "Username or UID (format: <name|uid>[:<group|gid>])")
	fs.StringVarP(&p.workdir, "workdir", "w", "", "Working directory inside the container")
	fs.Var(&p.umask, "umask", "Set umask for the container")
}

func (p *processFlags) setEnv(env []string) { p.env = *opts.NewListOptsRef(&env, nil) }

func (p *processFlags) apply(fs *pflag.FlagSet, spec *Spec) error {
	env, err := opts.ReadKVEnvStrings(p.envFile.GetSlice(), p.env.GetSlice())
	if err != nil {
		return fmt.Errorf("--env-file: %w", err)
	}
	c := spec.Config
	c.Env, c.User, c.WorkingDir = env, p.user, p.workdir
	c.Hostname, c.Domainname = p.hostname, p.domainname
	c.Tty, c.OpenStdin = p.tty, p.stdin
	all := p.attach.Len() == 0
	c.AttachStdin = p.stdin || p.attach.Get("stdin")
	c.AttachStdout = all || p.attach.Get("stdout")
	c.AttachStderr = all || p.attach.Get("stderr")
	c.StdinOnce = c.OpenStdin && c.AttachStdin // the input ends when this client leaves
	switch {
	case p.entrypoint != "":
		c.Entrypoint = []string{p.entrypoint}
	case fs.Changed("entrypoint"): // --entrypoint= takes the image's away
		c.Entrypoint = []string{""}
	}
	spec.HostConfig.GroupAdd = p.groupAdd.GetSlice()
	spec.HostConfig.Umask = p.umask.Value()
	return nil
}

func validateAttach(val string) (string, error) {
	s := strings.ToLower(val)
	if slices.Contains([]string{"stdin", "stdout", "stderr"}, s) {
		return s, nil
	}
	return val, errors.New("valid streams are STDIN, STDOUT and STDERR")
}
