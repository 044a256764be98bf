package system

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/spf13/cobra"
)

// launchd is a Mac as install changes it: for one person, not for the computer. Tests give another.
type launchd struct {
	home      string
	uid       int
	launchctl func(context.Context, ...string) error
	agent     func() (string, error) // where berth-hostagent lies
}

func mac(s *session.Session) (ep endpoint.Endpoint, l launchd, err error) {
	if ep, err = s.Endpoint(); err != nil {
		return ep, l, err
	}
	if os.Geteuid() == 0 {
		return ep, l, errdefs.Forbidden("on macOS the machine belongs to a person, not to root").WithHint("Run the command without sudo.")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ep, l, errdefs.System("%w", err)
	}
	return ep, launchd{home: home, uid: os.Getuid(), launchctl: launchctl, agent: endpoint.FindAgent}, nil
}

func newLaunchdInstall(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "install", Short: "Let launchd serve the Docker API, now and whenever you log in", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		ep, l, err := mac(s)
		if err != nil {
			return err
		}
		if err := l.install(c.Context(), paths.MachineNamed(paths.DefaultMachine, s.Getenv), s.Getenv(paths.EnvRoot)); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s is loaded; the first command of berth or docker boots the machine\n", launchdLabel)
		return addContext(s, ep, endpoint.Contexts{Dir: s.ConfigDir()})
	}
	return c
}

func newLaunchdUninstall(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "uninstall", Short: "Take the host agent from launchd; machine, containers and data stay", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		ep, l, err := mac(s)
		if err != nil {
			return err
		}
		if err := l.uninstall(c.Context()); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s is gone; berth's commands start the host agent by themselves\n", launchdLabel)
		return dropContext(ep, endpoint.Contexts{Dir: s.ConfigDir()})
	}
	return c
}

// launchdLabel names the agent to launchd.
const launchdLabel = "com.github.berthhq.berth"

func (l launchd) plist() string {
	return filepath.Join(l.home, "Library", "LaunchAgents", launchdLabel+".plist")
}

func (l launchd) domain() string { return fmt.Sprintf("gui/%d", l.uid) }

// install is done over again without harm.
func (l launchd) install(ctx context.Context, m paths.Machine, root string) error {
	program, err := l.agent()
	if err != nil {
		return err
	}
	text, err := agentPlist(program, m, root)
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(m.Dir, 0o700), replace(l.plist(), text)); err != nil { // its log lies there
		return errdefs.System("writing %s: %w", l.plist(), err)
	}
	_ = l.launchctl(ctx, "bootout", l.domain()+"/"+launchdLabel) // an earlier one; most times there is none
	return l.launchctl(ctx, "bootstrap", l.domain(), l.plist())
}

func (l launchd) uninstall(ctx context.Context) error {
	if _, err := os.Stat(l.plist()); errors.Is(err, fs.ErrNotExist) {
		return errdefs.NotFound("%s is not installed", launchdLabel)
	}
	_ = l.launchctl(ctx, "bootout", l.domain()+"/"+launchdLabel) // it may have been unloaded by hand
	if err := os.Remove(l.plist()); err != nil {
		return errdefs.System("removing %s: %w", l.plist(), err)
	}
	return nil
}

// agentPlist is what launchd is told (launchd.plist(5)). The agent is not kept alive: one that a command has started may
// serve already, and a person's berth machine stop ends it on purpose. What it has started, the machine, outlives it.
func agentPlist(program string, m paths.Machine, root string) (string, error) {
	env := ""
	if root != "" {
		env = "\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>" + paths.EnvRoot + "</key>\n\t\t<string>%[5]s</string>\n\t</dict>\n"
	}
	var words []any
	for _, w := range []string{launchdLabel, program, m.Name, m.AgentLog(), root} {
		var b bytes.Buffer
		if err := xml.EscapeText(&b, []byte(w)); err != nil {
			return "", errdefs.System("%w", err)
		}
		if strings.ContainsRune(b.String(), '\uFFFD') { // it put this there for what XML cannot say
			return "", errdefs.Invalid("launchd cannot be told of %q: no file of it can have that name", w)
		}
		words = append(words, b.String())
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>%[1]s</string>
	<key>ProgramArguments</key>
	<array>
		<string>%[2]s</string>
		<string>serve</string>
		<string>%[3]s</string>
	</array>
`+env+`	<key>RunAtLoad</key>
	<true/>
	<key>AbandonProcessGroup</key>
	<true/>
	<key>ProcessType</key>
	<string>Interactive</string>
	<key>StandardErrorPath</key>
	<string>%[4]s</string>
</dict>
</plist>
`, words[:4+min(len(root), 1)]...), nil
}

func launchctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "/bin/launchctl", args...).CombinedOutput()
	if err != nil {
		return errdefs.System("launchctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out))).
			WithHint("launchctl print %s says more.", fmt.Sprintf("gui/%d/%s", os.Getuid(), launchdLabel))
	}
	return nil
}
