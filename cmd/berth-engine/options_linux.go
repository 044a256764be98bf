package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
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

// flags are the command line's, under dockerd's names where dockerd has them.
type flags struct {
	root, file, group        string
	driver                   string
	validate, version, debug bool
	tlsVerify                bool
	tlsCA, tlsCert, tlsKey   string
	hosts                    list
	set                      map[string]bool // what was named
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	v := flags{set: map[string]bool{}}
	f := flag.NewFlagSet("berth-engine", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&v.root, "root", os.Getenv(paths.EnvRoot), "state directory; empty is the machine-wide one")
	f.StringVar(&v.file, "config-file", paths.ConfigFile, "configuration, with docker's key names")
	f.BoolVar(&v.validate, "validate", false, "check the configuration and exit")
	f.BoolVar(&v.version, "version", false, "print the version and exit")
	f.BoolVar(&v.debug, "debug", false, "say more")
	f.BoolVar(&v.debug, "D", false, "the same as --debug")
	f.Var(&v.hosts, "host", "another socket to serve: unix:///path, or tcp://address:port with --tlsverify")
	f.Var(&v.hosts, "H", "the same as --host")
	f.StringVar(&v.group, "group", "", "group that may use the unix sockets (default berth or docker, where they exist)")
	f.StringVar(&v.group, "G", "", "the same as --group")
	f.StringVar(&v.driver, "storage-driver", "", "what a new state directory keeps layers as: overlayfs or erofs")
	f.StringVar(&v.driver, "s", "", "the same as --storage-driver")
	f.BoolVar(&v.tlsVerify, "tlsverify", false, "serve tcp:// with TLS, to clients whose certificate tlscacert has signed")
	f.StringVar(&v.tlsCA, "tlscacert", "", "trust certificates signed only by this CA (default ~/.docker/ca.pem)")
	f.StringVar(&v.tlsCert, "tlscert", "", "the engine's TLS certificate (default ~/.docker/cert.pem)")
	f.StringVar(&v.tlsKey, "tlskey", "", "its key (default ~/.docker/key.pem)")
	if err := f.Parse(args); err != nil {
		return v, errdefs.Invalid("%w", err)
	}
	if f.NArg() > 0 {
		return v, errdefs.Invalid("unexpected argument %q", f.Arg(0))
	}
	f.Visit(func(fl *flag.Flag) { v.set[fl.Name] = true })
	return v, nil
}

// parse reads arguments and configuration. done says that all was to print something or to validate.
func parse(args []string, stdout, stderr io.Writer) (o options, done bool, err error) {
	v, err := parseFlags(args, stderr)
	if err != nil {
		return o, false, err
	}
	if v.version {
		fmt.Fprintf(stdout, "berth-engine %s (%s)\n", buildinfo.Version(), buildinfo.Commit())
		return o, true, nil
	}
	if o.config, err = config.Load(v.file, v.set["config-file"]); err != nil {
		return o, false, err
	}
	if err := v.merge(o.config); err != nil {
		return o, false, err
	}
	completeTLS(&o.config.Paths, os.Getenv)
	o.layout, o.machine = paths.For(o.config.DataRoot), o.config.DataRoot == ""
	o.hosts = slices.Concat([]string(v.hosts), o.config.Hosts)
	if err := checkHosts(o.hosts, *o.config.TLSVerify); err != nil {
		return o, false, err
	}
	if v.validate {
		fmt.Fprintln(stdout, "configuration OK")
		return o, true, nil
	}
	return o, false, nil
}

// merge puts the flags into the configuration. What both say, and differently, is refused as dockerd does.
func (v flags) merge(c *config.Config) error {
	for _, m := range []struct {
		key, flag string
		file      *string
	}{
		{"data-root", v.root, &c.DataRoot}, {"group", v.group, &c.Group}, {"storage-driver", v.driver, &c.StorageDriver},
		{"tlscacert", v.tlsCA, &c.TLSCA}, {"tlscert", v.tlsCert, &c.TLSCert}, {"tlskey", v.tlsKey, &c.TLSKey},
	} {
		switch {
		case m.flag == "":
		case *m.file != "" && *m.file != m.flag:
			return conflict(m.key, m.flag, *m.file)
		default:
			*m.file = m.flag
		}
	}
	if v.set["tlsverify"] {
		if c.TLSVerify != nil && *c.TLSVerify != v.tlsVerify {
			return conflict("tlsverify", fmt.Sprint(v.tlsVerify), fmt.Sprint(*c.TLSVerify))
		}
		c.TLSVerify = &v.tlsVerify
	}
	c.Debug = c.Debug || v.debug
	if err := c.CheckDriver(); err != nil {
		return errdefs.Invalid("%w", err)
	}
	return nil
}

func conflict(key, flag, file string) error {
	return errdefs.Invalid("the following directives are specified both as a flag and in the configuration file: %s: (from flag: %s, from file: %s)", key, flag, file)
}
