package runflags

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// securityFlags are capabilities, profiles and privileges.
type securityFlags struct {
	capAdd, capDrop, options opts.ListOpts
	privileged, readOnly     bool
}

func (s *securityFlags) add(fs *pflag.FlagSet) {
	s.capAdd = opts.NewListOpts(nil)
	s.capDrop = opts.NewListOpts(nil)
	s.options = opts.NewListOpts(nil)
	fs.Var(&s.capAdd, "cap-add", "Add Linux capabilities")
	fs.Var(&s.capDrop, "cap-drop", "Drop Linux capabilities")
	fs.BoolVar(&s.privileged, "privileged", false, "Give extended privileges to this container")
	fs.Var(&s.options, "security-opt", "Security Options")
	fs.BoolVar(&s.readOnly, "read-only", false, "Mount the container's root filesystem as read only")
}

func (s *securityFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	h := spec.HostConfig
	h.CapAdd, h.CapDrop = s.capAdd.GetSlice(), s.capDrop.GetSlice()
	h.Privileged, h.ReadonlyRootfs = s.privileged, s.readOnly
	for _, o := range s.options.GetSlice() {
		if o == "systempaths=unconfined" { // the client's own option: no path is masked or read-only
			h.MaskedPaths, h.ReadonlyPaths = []string{}, []string{}
			continue
		}
		o, err := securityOption(o)
		if err != nil {
			return err
		}
		h.SecurityOpt = append(h.SecurityOpt, o)
	}
	return nil
}

// securityOption checks one option and reads a seccomp profile's file: the engine may be on another machine.
func securityOption(o string) (string, error) {
	k, v, ok := strings.Cut(o, "=")
	if k == "no-new-privileges" {
		return o, nil
	}
	if !ok {
		k, v, ok = strings.Cut(o, ":")
	}
	if k == "no-new-privileges" {
		return o, nil
	}
	if !ok || v == "" {
		return "", fmt.Errorf("invalid --security-opt: %q", o)
	}
	if k != "seccomp" || v == "builtin" || v == "unconfined" {
		return o, nil
	}
	file, err := os.ReadFile(v)
	if err != nil {
		return "", fmt.Errorf("opening seccomp profile (%s) failed: %w", v, err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, file); err != nil {
		return "", fmt.Errorf("compacting json for seccomp profile (%s) failed: %w", v, err)
	}
	return "seccomp=" + b.String(), nil
}
