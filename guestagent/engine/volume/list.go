//go:build linux

package volume

import (
	"context"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/volume"
)

// Inspect tells of one volume.
func (s *Service) Inspect(_ context.Context, name string) (*volume.Volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.get(name)
	if err != nil {
		return nil, err
	}
	out := s.describe(v)
	return &out, nil
}

// List lists volumes by name. Filters: dangling, driver, label, name.
func (s *Service) List(_ context.Context, filters map[string]map[string]bool) (volume.ListResponse, error) {
	resp := volume.ListResponse{Volumes: []volume.Volume{}}
	for k := range filters {
		if !slices.Contains([]string{"dangling", "driver", "label", "name"}, k) {
			return resp, errdefs.Invalid("invalid filter '%s'", k)
		}
	}
	dangling, err := boolFilter(filters["dangling"])
	if err != nil {
		return resp, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.volumes)) {
		v := s.volumes[name]
		switch {
		case dangling != nil && *dangling != (len(v.users) == 0),
			len(filters["driver"]) > 0 && !filters["driver"][driver],
			!labelled(v.rec.Labels, filters["label"]),
			!named(name, filters["name"]):
			continue
		}
		resp.Volumes = append(resp.Volumes, s.describe(v))
	}
	return resp, nil
}

func boolFilter(values map[string]bool) (*bool, error) {
	yes := true
	no := false
	for v := range values {
		switch strings.ToLower(v) {
		case "1", "true":
			return &yes, nil
		case "0", "false":
			return &no, nil
		}
		return nil, errdefs.Invalid("invalid filter 'dangling=%s'", v)
	}
	return nil, nil
}

func named(name string, want map[string]bool) bool {
	if len(want) == 0 {
		return true
	}
	for v := range want {
		if re, err := regexp.Compile(v); err == nil && re.MatchString(name) || strings.Contains(name, v) {
			return true
		}
	}
	return false
}

func labelled(labels map[string]string, want map[string]bool) bool {
	for v := range want {
		k, value, has := strings.Cut(v, "=")
		if got, ok := labels[k]; !ok || has && got != value {
			return false
		}
	}
	return true
}

// Usage lists the volumes with their sizes and numbers of users, for system df.
func (s *Service) Usage(ctx context.Context) ([]volume.Volume, error) {
	resp, err := s.List(ctx, nil)
	if err != nil {
		return nil, err
	}
	for i := range resp.Volumes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := &resp.Volumes[i]
		s.mu.Lock()
		users := 0
		if known := s.volumes[v.Name]; known != nil {
			users = len(known.users)
		}
		s.mu.Unlock()
		v.UsageData = &volume.UsageData{RefCount: int64(users), Size: usage(v.Mountpoint)}
	}
	return resp.Volumes, nil
}

// usage adds up what a directory holds on disk, in bytes; hard links count once.
func usage(dir string) (size int64) {
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			k := inode{uint64(st.Dev), st.Ino}
			if st.Nlink > 1 && seen[k] {
				return nil
			}
			seen[k] = true
		}
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
