package runflags

import (
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/pflag"
)

// Run is the flags of run: those of create, and how it is watched.
type Run struct {
	*Flags
	Detach, Quiet, SigProxy bool
	DetachKeys              string
}

// NewRun declares the flags of run in a set.
func NewRun(f *pflag.FlagSet) *Run {
	r := &Run{Flags: New(f)}
	f.BoolVarP(&r.Detach, "detach", "d", false, "Run container in background and print container ID")
	f.BoolVarP(&r.Quiet, "quiet", "q", false, "Suppress the pull output")
	f.StringVar(&r.DetachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	f.BoolVar(&r.SigProxy, "sig-proxy", true, "Proxy received signals to the process")
	return r
}

// Build is that of Flags; a container in the background has no streams attached. Errors: Invalid.
func (r *Run) Build(f *pflag.FlagSet, image string, command []string) (*Spec, error) {
	s, err := r.Flags.Build(f, image, command)
	if err != nil || !r.Detach {
		return s, err
	}
	c := s.Config
	if c.AttachStdin && r.attach.Len() > 0 {
		return nil, errdefs.Invalid("conflicting options: cannot specify both --attach and --detach")
	}
	c.AttachStdin, c.AttachStdout, c.AttachStderr, c.StdinOnce = false, false, false, false
	return s, nil
}
