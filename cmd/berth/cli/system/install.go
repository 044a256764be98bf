package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

// host is the machine as install changes it; tests give another.
type host struct {
	root      string // "/" but in tests
	systemctl func(context.Context, ...string) error
	engine    func() (string, error) // where berth-engine lies
}

func machine() host {
	return host{root: "/", systemctl: systemctl, engine: endpoint.FindEngine}
}

func newInstall(s *session.Session) *cobra.Command {
	if runtime.GOOS == "darwin" {
		return newLaunchdInstall(s)
	}
	c := &cobra.Command{Use: "install", Short: "Let systemd start the engine, now and whenever the machine boots", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if os.Geteuid() != 0 {
			return errdefs.Forbidden("installing the engine as a service needs root").WithHint("sudo berth system install")
		}
		ep, err := s.Endpoint()
		if err != nil {
			return err
		}
		if err := machine().install(c.Context(), ep); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s is enabled and runs; containers with --restart always come back after a reboot\n", unitName)
		if err := addContext(s, ep, endpoint.Contexts{Dir: s.ConfigDir()}); err != nil {
			return err
		}
		addInvokers(c.Context(), s, ep)
		return nil
	}
	return c
}

// unitName is the engine's unit of systemd.
const unitName = "berth.service"

func (h host) unitPath() string { return filepath.Join(h.root, "etc/systemd/system", unitName) }

// unit is what systemd is told (systemd.service(5), systemd.kill(5), systemd.resource-control(5)). Of the unit's processes
// a stop ends the engine alone: supervisor and containers go on. Their cgroups are the engine's to arrange.
func unit(engine string) string {
	return fmt.Sprintf(`[Unit]
Description=berth container engine
After=network-online.target nftables.service firewalld.service
Wants=network-online.target

[Service]
Type=notify
ExecStart=%s
KillMode=process
Delegate=yes
Restart=always
RestartSec=2
LimitNOFILE=1048576
LimitNPROC=infinity
TasksMax=infinity
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`, quoteUnit(engine))
}

// quoteUnit writes a path as a word of ExecStart= (systemd.syntax(7)).
func quoteUnit(path string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$")
	return `"` + r.Replace(path) + `"`
}

// install is done over again without harm.
func (h host) install(ctx context.Context, ep endpoint.Endpoint) error {
	if err := h.hasSystemd(); err != nil {
		return err
	}
	engine, err := h.engine()
	if err != nil {
		return err
	}
	if err := onlyRoots(engine); err != nil {
		return err
	}
	if err := replace(h.unitPath(), unit(engine)); err != nil {
		return errdefs.System("writing %s: %w", h.unitPath(), err)
	}
	if err := h.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	// An engine that a command has started makes way; its containers go on.
	if err := endpoint.StopEngine(ctx, ep.Layout, stopBound); err != nil {
		return err
	}
	if err := h.systemctl(ctx, "enable", unitName); err != nil {
		return err
	}
	return h.systemctl(ctx, "restart", unitName)
}

// stopBound is how long an engine may take to end.
const stopBound = 20 * time.Second

func (h host) hasSystemd() error {
	if _, err := os.Stat(filepath.Join(h.root, "run/systemd/system")); err != nil { // sd_booted(3)
		return errdefs.NotImplemented("systemd does not run here").WithHint("Have your init system start berth-engine; until then every berth command starts it.")
	}
	return nil
}

// onlyRoots refuses a program that others than root could replace: systemd will start it as root.
func onlyRoots(program string) error {
	for path := program; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			return errdefs.System("looking at %s: %w", path, err)
		}
		if !rootOwned(info) || info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
			return errdefs.Forbidden("%s could be replaced by others than root, and the service would start it as root", path).
				WithHint("Copy berth's programs to /usr/local/bin and run berth system install there.")
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}

// replace writes a file as a whole.
func replace(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// systemctl asks systemd. PATH is not searched: this runs as root.
func systemctl(ctx context.Context, args ...string) error {
	for _, program := range []string{"/usr/bin/systemctl", "/bin/systemctl"} {
		if _, err := os.Stat(program); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		if err != nil {
			return errdefs.System("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out))).
				WithHint("journalctl -u %s says more.", unitName)
		}
		return nil
	}
	return errdefs.NotImplemented("there is no systemctl here")
}

// contextName is the docker context that leads to the engine.
const contextName = "berth"

// contextOf is the context that install makes and uninstall takes away.
func contextOf(ep endpoint.Endpoint) endpoint.Context {
	return endpoint.Context{Name: contextName, Description: "berth", Host: ep.OwnHost(os.Getenv)}
}

// addContext lets docker's command line find the engine: docker --context berth. One of that name stays as it is.
func addContext(s *session.Session, ep endpoint.Endpoint, store endpoint.Contexts) error {
	err := store.Create(contextOf(ep))
	if errdefs.KindOf(err) == errdefs.KindConflict {
		return nil
	}
	if err == nil {
		fmt.Fprintf(s.Out, "docker --context %s reaches it too\n", contextName)
	}
	return err
}

// addInvokers makes the context for the person who called sudo too. The service is installed whether or not that works.
func addInvokers(ctx context.Context, s *session.Session, ep endpoint.Endpoint) {
	self, err := os.Executable()
	if err != nil {
		return
	}
	c := contextOf(ep)
	out, _, err := asInvoker(ctx, os.Getenv, self, "context", "create", c.Name, "--description", c.Description, "--docker", "host="+c.Host)
	if err != nil && !strings.Contains(out, "already exists") {
		fmt.Fprintf(s.Err, "no docker context for %s: %s\n", os.Getenv("SUDO_USER"), out)
	}
}

// dropInvokers takes it away again, unless it leads elsewhere by now.
func dropInvokers(ctx context.Context, ep endpoint.Endpoint) {
	self, err := os.Executable()
	if err != nil {
		return
	}
	c := contextOf(ep)
	host, ok, err := asInvoker(ctx, os.Getenv, self, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", c.Name)
	if ok && err == nil && host == c.Host {
		asInvoker(ctx, os.Getenv, self, "context", "rm", c.Name)
	}
}
