//go:build linux

package container

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// The log drivers of this engine.
const (
	logJSON  = "json-file"
	logLocal = "local"
	logNone  = "none"
)

// logOptions are the keys that a driver knows.
func logOptions(driver string) []string {
	switch driver {
	case logJSON:
		return []string{"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode", "max-buffer-size"}
	case logLocal:
		return []string{"max-size", "max-file", "compress", "mode", "max-buffer-size"}
	}
	return []string{"mode", "max-buffer-size"}
}

func checkLog(c container.LogConfig) error {
	switch c.Type {
	case "", logJSON, logLocal, logNone:
	default:
		return errdefs.Invalid("error looking up logging plugin %s: plugin %q not found", c.Type, c.Type).
			WithHint("use json-file, local or none")
	}
	driver := c.Type
	if driver == "" {
		driver = logJSON
	}
	for _, k := range slices.Sorted(maps.Keys(c.Config)) {
		if !slices.Contains(logOptions(driver), k) {
			return errdefs.Invalid("unknown log opt '%s' for %s log driver", k, driver)
		}
	}
	_, err := limits(driver, c.Config)
	return err
}

// limits reads the sizes of a log. The local driver has limits by default: 20 MB in 5 files, compressed.
func limits(driver string, opts map[string]string) (l proto.Log, err error) {
	l = proto.Log{Driver: driver, MaxFile: 1}
	if driver == logLocal {
		l.MaxSize, l.MaxFile, l.Compress = 20<<20, 5, true
	}
	if v := opts["max-size"]; v != "" && v != "-1" {
		if l.MaxSize, err = units.RAMInBytes(v); err != nil || l.MaxSize <= 0 {
			return l, errdefs.Invalid("invalid value for max-size: %s", v)
		}
	}
	if v := opts["max-file"]; v != "" {
		if l.MaxFile, err = strconv.Atoi(v); err != nil || l.MaxFile < 1 {
			return l, errdefs.Invalid("invalid value for max-file: %s: max-file cannot be less than 1", v)
		}
	}
	if v := opts["compress"]; v != "" {
		if l.Compress, err = strconv.ParseBool(v); err != nil {
			return l, errdefs.Invalid("invalid value for compress: %s", v)
		}
	}
	return l, nil
}

// logOf says where and how a container's output is kept.
func (s *Service) logOf(r *Record) (proto.Log, error) {
	c := r.Host.LogConfig
	l, err := limits(c.Type, c.Config)
	if err != nil {
		return l, err
	}
	l.Path = s.Layout.ContainerLog(r.ID)
	l.Attrs = map[string]string{}
	for _, k := range splitOptions(c.Config["labels"]) {
		if v, ok := r.Config.Labels[k]; ok {
			l.Attrs[k] = v
		}
	}
	wanted := splitOptions(c.Config["env"])
	for _, e := range r.Config.Env {
		if k, v, ok := strings.Cut(e, "="); ok && slices.Contains(wanted, k) {
			l.Attrs[k] = v
		}
	}
	if tag := c.Config["tag"]; tag != "" {
		l.Attrs["tag"] = strings.NewReplacer("{{.ID}}", r.ID[:12], "{{.FullID}}", r.ID, "{{.Name}}", r.Name, "{{.ImageName}}", r.Config.Image).Replace(tag)
	}
	return l, nil
}
