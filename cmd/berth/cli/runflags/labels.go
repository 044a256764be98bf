package runflags

import (
	"fmt"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// labelFlags are labels and annotations.
type labelFlags struct {
	labels, files opts.ListOpts
	annotations   *opts.MapOpts
}

func (l *labelFlags) add(fs *pflag.FlagSet) {
	l.labels = opts.NewListOpts(opts.ValidateLabel)
	l.files = opts.NewListOpts(nil)
	l.annotations = opts.NewMapOpts(nil, nil)
	fs.VarP(&l.labels, "label", "l", "Set meta data on a container")
	fs.Var(&l.files, "label-file", "Read in a line delimited file of labels")
	fs.Var(l.annotations, "annotation", "Add an annotation to the container (passed through to the OCI runtime)")
}

func (l *labelFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	labels, err := opts.ReadKVStrings(l.files.GetSlice(), l.labels.GetSlice())
	if err != nil {
		return fmt.Errorf("--label-file: %w", err)
	}
	spec.Config.Labels = opts.ConvertKVStringsToMap(labels)
	spec.HostConfig.Annotations = l.annotations.GetAll()
	return nil
}
