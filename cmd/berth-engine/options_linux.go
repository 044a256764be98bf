package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/config"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// options are what the command line and the configuration file say together.
type options struct {
	layout  paths.Layout
	machine bool // the machine-wide engine, not one below a BERTH_ROOT
	config  *config.Config
	hosts   []string // further sockets
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// parse reads arguments and configuration. done says that all was to print something or to validate.
func parse(args []string, stdout, stderr io.Writer) (o options, done bool, err error) {
	f := flag.NewFlagSet("berth-engine", flag.ContinueOnError)
	f.SetOutput(stderr)
	var hosts list
	root := f.String("root", os.Getenv(paths.EnvRoot), "state directory; empty is the machine-wide one")
	file := f.String("config-file", paths.ConfigFile, "configuration, with docker's key names")
	validate := f.Bool("validate", false, "check the configuration and exit")
	version := f.Bool("version", false, "print the version and exit")
	debug := f.Bool("debug", false, "say more")
	f.Var(&hosts, "host", "another socket to serve, unix:///path")
	if err := f.Parse(args); err != nil {
		return o, false, errdefs.Invalid("%w", err)
	}
	if f.NArg() > 0 {
		return o, false, errdefs.Invalid("unexpected argument %q", f.Arg(0))
	}
	if *version {
		fmt.Fprintf(stdout, "berth-engine %s (%s)\n", buildinfo.Version(), buildinfo.Commit())
		return o, true, nil
	}
	named := false
	f.Visit(func(fl *flag.Flag) { named = named || fl.Name == "config-file" })
	if o.config, err = config.Load(*file, named); err != nil {
		return o, false, err
	}
	if *validate {
		fmt.Fprintln(stdout, "configuration OK")
		return o, true, nil
	}
	if o.config.DataRoot != "" {
		if *root != "" && *root != o.config.DataRoot {
			return o, false, errdefs.Invalid("the following directives are specified both as a flag and in the configuration file: data-root: (from flag: %s, from file: %s)", *root, o.config.DataRoot)
		}
		*root = o.config.DataRoot
	}
	o.config.Debug = o.config.Debug || *debug
	o.layout, o.machine = paths.For(*root), *root == ""
	o.hosts = append(hosts, o.config.Hosts...)
	for _, h := range o.hosts {
		if !strings.HasPrefix(h, "unix://") {
			return o, false, errdefs.Invalid("host %q: only unix:// sockets are served; a TCP socket without TLS would give the machine away", h)
		}
	}
	return o, false, nil
}
