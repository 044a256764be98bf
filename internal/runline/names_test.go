package runline

import (
	"github.com/berthhq/berth/internal/runflags"
	"github.com/spf13/pflag"
)

func flagNames() (names []string) {
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	runflags.NewRun(f)
	f.VisitAll(func(x *pflag.Flag) { names = append(names, x.Name) })
	return names
}
