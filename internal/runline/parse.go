package runline

import (
	"encoding/csv"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/runflags"
	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// Place is where a line is read. Empty fields are not known: what needs them is left.
type Place struct {
	Home string // what "~" and $HOME stand for
	Dir  string // what "." and $PWD stand for; absolute
}

// ParseRun reads a line: "docker run …", "berth run …", also "create", and with "sudo" before it. The container is one in
// the background: nobody's terminal is attached. Errors: Invalid, in the words of the command line.
func ParseRun(line string, at Place) (*Line, error) {
	list, rest, err := words(line, at)
	if err != nil {
		return nil, err
	}
	verb, args, err := command(list)
	if err != nil {
		return nil, err
	}
	f := pflag.NewFlagSet(verb, pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.Usage = func() {}
	r := runflags.NewRun(f)
	g := &guard{at: at, flags: f, rest: rest}
	if err := f.ParseAll(args, g.set); err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	if f.NArg() == 0 {
		return nil, errdefs.Invalid("the line names no image")
	}
	r.Detach = true
	spec, err := r.Build(f, f.Arg(0), f.Args()[1:])
	if err != nil {
		return nil, err
	}
	return &Line{
		Name: r.Name, Platform: r.Platform, Pull: r.Pull, Run: verb == "run", Left: g.rest,
		Create: container.CreateRequest{Config: spec.Config, HostConfig: spec.Host, NetworkingConfig: spec.Network},
	}, nil
}

// command finds the verb of a line, and what follows it.
func command(list []string) (verb string, args []string, err error) {
	rest := list
	next := func(names ...string) string {
		for _, n := range names {
			if len(rest) > 0 && (rest[0] == n || filepath.Base(rest[0]) == n) {
				rest = rest[1:]
				return n
			}
		}
		return ""
	}
	next("sudo")
	program := next("docker", "berth", "podman", "nerdctl")
	next("container")
	if verb = next("run", "create"); program == "" || verb == "" {
		return "", nil, errdefs.Invalid("the line begins with %q", strings.Join(list[:min(len(list), 3)], " ")).
			WithHint("Give a line that begins with 'docker run' or 'berth run'.")
	}
	return verb, rest, nil
}

// guard stands between a line's flags and their values: it keeps what would reach out of the line.
type guard struct {
	at    Place
	flags *pflag.FlagSet
	rest  []Left
	ports int
}

func (g *guard) leave(flag, value string, c Code) error {
	g.rest = append(g.rest, left("--"+flag+" "+value, c))
	return nil
}

// set is called for every flag in order.
func (g *guard) set(flag *pflag.Flag, value string) error {
	switch flag.Name {
	case "env-file", "label-file":
		return g.leave(flag.Name, value, CodeFile)
	case "cidfile", "attach", "detach-keys", "sig-proxy", "quiet", "detach":
		if flag.Name != "detach" && flag.Name != "quiet" {
			return g.leave(flag.Name, value, CodeTerminal)
		}
	case "env":
		if !strings.Contains(value, "=") {
			return g.leave(flag.Name, value, CodeEnv)
		}
	case "security-opt":
		if p, ok := profile(value); ok && p != "unconfined" && p != "builtin" {
			return g.leave(flag.Name, value, CodeFile)
		}
	case "volume":
		if src, dst, ok := strings.Cut(value, ":"); ok && strings.HasPrefix(src, ".") {
			if g.at.Dir == "" {
				return g.leave(flag.Name, value, CodeRelative)
			}
			value = filepath.Join(g.at.Dir, src) + ":" + dst
		}
	case "mount":
		var ok bool
		if value, ok = g.placed(value); !ok {
			return g.leave(flag.Name, value, CodeRelative)
		}
	case "publish", "expose":
		if err := g.count(value); err != nil {
			return err
		}
	}
	return g.flags.Set(flag.Name, value)
}

// profile gives the profile that a security option names.
func profile(option string) (string, bool) {
	for _, prefix := range []string{"seccomp=", "seccomp:"} {
		if p, ok := strings.CutPrefix(option, prefix); ok {
			return p, true
		}
	}
	return "", false
}

// placed makes the source of a mount absolute; false where it begins at a place that is not known.
func (g *guard) placed(value string) (string, bool) {
	fields, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		return value, true // the flag itself says what is wrong
	}
	for i, field := range fields {
		key, src, _ := strings.Cut(field, "=")
		if k := strings.ToLower(key); k != "source" && k != "src" || !strings.HasPrefix(src, ".") {
			continue
		}
		if g.at.Dir == "" {
			return value, false
		}
		fields[i] = key + "=" + filepath.Join(g.at.Dir, src)
	}
	return record(fields), true
}

// record writes one line of comma separated values.
func record(fields []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write(fields)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// count bounds what ranges of ports grow to.
func (g *guard) count(value string) error {
	inner := value[strings.LastIndexByte(value, ':')+1:]
	n := 1
	if rng, err := mobynet.ParsePortRange(inner); err == nil {
		n = int(rng.End()) - int(rng.Start()) + 1
	}
	if g.ports += n; g.ports > maxPorts {
		return errdefs.Invalid("the line names more than %d ports", maxPorts)
	}
	return nil
}
