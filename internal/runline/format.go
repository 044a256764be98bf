package runline

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"mvdan.cc/sh/v3/syntax"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// Wanted is a container that a line is to describe.
type Wanted struct {
	Name, Platform string
	Create         *container.CreateRequest
	// Image is what the image says of its containers; what the container has from it needs no flag. nil: not known.
	Image *dockerspec.DockerOCIImageConfig
}

// FormatRun gives the "berth run -d …" line that makes such a container, quoted for a shell, and the fields that no flag
// says. The line is read back by ParseRun: what does not come out the same is among them. Errors: Invalid where there is
// no image, or it cannot stand in a line.
func FormatRun(w Wanted) (string, []Left, error) {
	if w.Create == nil || w.Create.Config == nil || w.Create.Image == "" {
		return "", nil, errdefs.Invalid("the container has no image")
	}
	req := plain(w)
	args := flags{"berth", "run", "-d"}
	args.value("name", w.Name)
	args.value("platform", w.Platform)
	args.process(&req)
	args.files(&req)
	args.network(&req)
	args.resources(&req)
	args.security(&req)
	args.health(req.Healthcheck)
	args = append(args, req.Image)
	args = append(args, req.Cmd...)
	for i, a := range args {
		q, err := quote(a)
		if err != nil {
			return "", nil, errdefs.Invalid("%.40q cannot stand in a line: %w", a, err)
		}
		args[i] = q
	}
	line := strings.Join(args, " ")
	back, err := ParseRun(line, Place{})
	if err != nil {
		return "", nil, errdefs.Invalid("no line says this container: %w", err)
	}
	return line, missing(&req, &back.Create), nil
}

// quote leaves what no shell touches as it is.
func quote(word string) (string, error) {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+") == "" {
		return word, nil
	}
	return syntax.Quote(word, syntax.LangBash)
}

// missing names the fields of a request that did not come back from a line as they went in.
func missing(want, got *container.CreateRequest) (out []Left) {
	w, g := fields(want), fields(got)
	for _, name := range slices.Sorted(maps.Keys(w)) {
		if !empty(w[name]) && !reflect.DeepEqual(w[name], g[name]) {
			out = append(out, left(name, CodeNoFlag))
		}
	}
	return out
}

// fields are a request's fields by name, those of its parts with the part's name before them.
func fields(r *container.CreateRequest) map[string]any {
	out := map[string]any{}
	for prefix, part := range map[string]any{"": r.Config, "HostConfig.": r.HostConfig, "NetworkingConfig.": r.NetworkingConfig} {
		b, err := json.Marshal(part)
		m := map[string]any{}
		if err != nil || json.Unmarshal(b, &m) != nil {
			continue
		}
		for k, v := range m {
			out[prefix+k] = v
		}
	}
	return out
}

func empty(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, x := range v {
			if !empty(x) {
				return false
			}
		}
		return true
	}
	return v == nil || reflect.ValueOf(v).IsZero()
}

// flags are the words of a line.
type flags []string

// value adds a flag that has one; an empty one is not said.
func (f *flags) value(name, value string) {
	switch {
	case value == "":
	case strings.HasPrefix(value, "-"):
		*f = append(*f, dashes(name)+"="+value)
	default:
		*f = append(*f, dashes(name), value)
	}
}

// dashes are two before a name and one before a letter.
func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func (f *flags) each(name string, list []string) {
	for _, v := range list {
		f.value(name, v)
	}
}

// pairs adds a flag for each key, in order.
func (f *flags) pairs(name string, m map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		f.value(name, k+"="+m[k])
	}
}

func (f *flags) number(name string, n int64) {
	if n != 0 {
		f.value(name, fmt.Sprint(n))
	}
}

func (f *flags) is(name string, on bool) {
	if on {
		*f = append(*f, dashes(name))
	}
}

func (f *flags) process(r *container.CreateRequest) {
	c, h := r.Config, r.HostConfig
	switch {
	case c.OpenStdin && c.Tty:
		*f = append(*f, "-it")
	default:
		f.is("i", c.OpenStdin)
		f.is("t", c.Tty)
	}
	f.is("rm", h.AutoRemove)
	if h.RestartPolicy.Name != "" {
		policy := string(h.RestartPolicy.Name)
		if n := h.RestartPolicy.MaximumRetryCount; n > 0 {
			policy += fmt.Sprintf(":%d", n)
		}
		f.value("restart", policy)
	}
	if h.Init != nil {
		*f = append(*f, fmt.Sprintf("--init=%t", *h.Init))
	}
	f.each("e", c.Env)
	f.pairs("label", c.Labels)
	f.pairs("annotation", h.Annotations)
	f.value("user", c.User)
	f.value("workdir", c.WorkingDir)
	f.value("stop-signal", c.StopSignal)
	if c.StopTimeout != nil {
		f.value("stop-timeout", fmt.Sprint(*c.StopTimeout))
	}
	if len(c.Entrypoint) > 0 {
		*f = append(*f, "--entrypoint="+c.Entrypoint[0])
	}
	f.value("log-driver", h.LogConfig.Type)
	f.pairs("log-opt", h.LogConfig.Config)
	f.value("runtime", h.Runtime)
}

func (f *flags) health(h *container.HealthConfig) {
	if h == nil {
		return
	}
	if len(h.Test) == 1 && h.Test[0] == "NONE" {
		f.is("no-healthcheck", true)
		return
	}
	if len(h.Test) == 2 && h.Test[0] == "CMD-SHELL" {
		f.value("health-cmd", h.Test[1])
	}
	for _, d := range []struct {
		name string
		text string
		zero bool
	}{
		{"health-interval", h.Interval.String(), h.Interval == 0}, {"health-timeout", h.Timeout.String(), h.Timeout == 0},
		{"health-start-period", h.StartPeriod.String(), h.StartPeriod == 0}, {"health-start-interval", h.StartInterval.String(), h.StartInterval == 0},
	} {
		if !d.zero {
			f.value(d.name, d.text)
		}
	}
	f.number("health-retries", int64(h.Retries))
}
