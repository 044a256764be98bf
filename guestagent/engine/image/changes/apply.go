package changes

import (
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/moby/api/types/container"
)

// allowed are the instructions that change a configuration only. docker knows all but SHELL.
var allowed = map[string]bool{
	"cmd": true, "entrypoint": true, "env": true, "expose": true, "healthcheck": true, "label": true, "onbuild": true,
	"shell": true, "stopsignal": true, "user": true, "volume": true, "workdir": true,
}

// Apply gives a configuration as the instructions leave it; base itself stays as it is, and may be nil. Errors: Invalid.
func Apply(base *container.Config, lines []string) (*container.Config, error) {
	c := copied(base)
	if len(lines) == 0 {
		return c, nil
	}
	file, err := parser.Parse(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	for _, n := range file.AST.Children {
		if !allowed[strings.ToLower(n.Value)] {
			return nil, errdefs.Invalid("%s is not a valid change command", n.Value)
		}
	}
	s := &state{config: c, lex: shell.NewLex(file.EscapeToken)}
	for _, n := range file.AST.Children {
		cmd, err := instructions.ParseCommand(n)
		if err != nil {
			return nil, errdefs.Invalid("%w", err)
		}
		if err := s.apply(cmd); err != nil {
			return nil, errdefs.Invalid("%w", err)
		}
	}
	return c, nil
}

// state is a configuration on its way through the instructions.
type state struct {
	config *container.Config
	lex    *shell.Lex
	cmdSet bool // by CMD here: an ENTRYPOINT after it leaves it
}

// apply carries one instruction out, variables of the environment as it is by then in their places.
func (s *state) apply(cmd instructions.Command) error {
	env := shell.EnvsFromSlice(s.config.Env)
	if e, ok := cmd.(instructions.SupportsSingleWordExpansion); ok {
		err := e.Expand(func(word string) (string, error) {
			out, _, err := s.lex.ProcessWord(word, env)
			return out, err
		})
		if err != nil {
			return err
		}
	}
	c := s.config
	switch i := cmd.(type) {
	case *instructions.CmdCommand:
		c.Cmd = s.line(i.ShellDependantCmdLine)
		s.cmdSet = s.cmdSet || len(i.CmdLine) > 0
	case *instructions.EntrypointCommand:
		c.Entrypoint = s.line(i.ShellDependantCmdLine)
		if !s.cmdSet {
			c.Cmd = nil
		}
	case *instructions.EnvCommand:
		for _, e := range i.Env {
			setEnv(c, e.Key, e.Value)
		}
	case *instructions.ExposeCommand:
		return s.expose(i.Ports, env)
	case *instructions.HealthCheckCommand:
		c.Healthcheck = i.Health
	case *instructions.LabelCommand:
		for _, l := range i.Labels {
			c.Labels[l.Key] = l.Value
		}
	case *instructions.OnbuildCommand:
		c.OnBuild = append(c.OnBuild, i.Expression)
	case *instructions.ShellCommand:
		c.Shell = i.Shell
	case *instructions.StopSignalCommand:
		return stopSignal(c, i.Signal)
	case *instructions.UserCommand:
		c.User = i.User
	case *instructions.VolumeCommand:
		return volumes(c, i.Volumes)
	case *instructions.WorkdirCommand:
		return workdir(c, i.Path)
	}
	return nil
}

// line is the command of CMD and ENTRYPOINT, with the shell before it where it is no JSON.
func (s *state) line(l instructions.ShellDependantCmdLine) []string {
	if !l.PrependShell || l.CmdLine == nil {
		return l.CmdLine
	}
	sh := s.config.Shell
	if len(sh) == 0 {
		sh = []string{"/bin/sh", "-c"}
	}
	return append(sh[:len(sh):len(sh)], l.CmdLine...)
}
