//go:build linux

package runtime

import (
	"sync"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/profiles/apparmor"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	selinux "github.com/opencontainers/selinux/go-selinux"
	"github.com/opencontainers/selinux/go-selinux/label"
)

// defaultAppArmor is the profile of a container that asks for none, docker-default's text under a name of our own.
const defaultAppArmor = "berth-default"

// setLabels applies AppArmor and SELinux where the kernel has them; a profile asked for by name elsewhere is refused.
func setLabels(s *specs.Spec, in Input) error {
	o, err := parseSecurityOpts(in.Host.SecurityOpt)
	if err != nil {
		return err
	}
	if err := setAppArmor(s, in.Host.Privileged, o.apparmor); err != nil {
		return err
	}
	if !selinux.GetEnabled() || in.Host.Privileged {
		return nil
	}
	s.Process.SelinuxLabel, s.Linux.MountLabel, err = label.InitLabels(o.selinux)
	if err != nil {
		return errdefs.Invalid("invalid --security-opt label: %w", err)
	}
	return nil
}

func setAppArmor(s *specs.Spec, privileged bool, profile string) error {
	if profile == "unconfined" || profile == "" && privileged {
		return nil
	}
	if !appArmorEnabled() {
		if profile != "" {
			return errdefs.Invalid("apparmor profile %s cannot be applied: this kernel has no AppArmor", profile)
		}
		return nil
	}
	if profile == "" {
		if !appArmorLoadable() {
			return nil
		}
		if err := loadDefault(); err != nil {
			return errdefs.System("AppArmor enabled on system but the %s profile could not be loaded: %w", defaultAppArmor, err)
		}
		profile = defaultAppArmor
	}
	s.Process.ApparmorProfile = profile
	return nil
}

// loadDefault puts the default profile into the kernel, once.
var loadDefault = sync.OnceValue(func() error { return apparmor.InstallDefault(defaultAppArmor) })
