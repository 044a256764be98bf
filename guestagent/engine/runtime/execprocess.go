//go:build linux

package runtime

import (
	"path"

	"github.com/berthhq/berth/internal/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// execProcess makes the process of an exec in the container that base describes, and says as whom it runs.
func execProcess(base Input, in ExecInput) (p *specs.Process, user string, err error) {
	host := base.Host
	caps, err := capabilities(host.Privileged || in.Privileged, host.CapAdd, host.CapDrop)
	if err != nil {
		return nil, "", err
	}
	cwd := in.WorkingDir
	if cwd == "" {
		cwd = base.Config.WorkingDir
	}
	if cwd == "" {
		cwd = "/"
	}
	if !path.IsAbs(cwd) {
		return nil, "", errdefs.Invalid("the working directory '%s' is invalid, it needs to be an absolute path", cwd)
	}
	user = in.User
	if user == "" {
		user = base.Config.User
	}
	opts, err := parseSecurityOpts(host.SecurityOpt)
	if err != nil {
		return nil, "", err
	}
	base.Streams.Terminal = in.Terminal
	base.Env = in.Env
	p = &specs.Process{
		Args:            in.Args,
		Cwd:             path.Clean(cwd),
		Env:             environment(base),
		Terminal:        in.Terminal,
		Capabilities:    bounded(caps),
		Rlimits:         rlimits(base),
		NoNewPrivileges: opts.noNewPrivileges,
		OOMScoreAdj:     &base.Host.OomScoreAdj,
	}
	if !in.Privileged {
		confined := &specs.Spec{Process: p}
		if err := setAppArmor(confined, host.Privileged, opts.apparmor); err != nil {
			return nil, "", err
		}
	}
	if in.Terminal && in.Height > 0 && in.Width > 0 {
		p.ConsoleSize = &specs.Box{Height: uint(in.Height), Width: uint(in.Width)}
	}
	return p, user, nil
}
