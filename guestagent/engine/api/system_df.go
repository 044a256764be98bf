package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

// legacyDiskUsage are the fields of GET /system/df until 1.52.
type legacyDiskUsage struct {
	LayersSize  int64
	Images      any
	Containers  []container.Summary
	Volumes     []volume.Volume
	BuildCache  []build.CacheRecord
	BuilderSize *int64 `json:",omitempty"`
}

// bothDiskUsage is what 1.52 answers without verbose.
type bothDiskUsage struct {
	*system.DiskUsage
	legacyDiskUsage
}

// systemDF measures. Until 1.52 everything was listed in old fields, from 1.53 only new ones are left; 1.52 has both.
func (s *Server) systemDF(c *call) error {
	o, err := c.diskUsageOptions()
	if err != nil {
		return err
	}
	verbose := c.flag("verbose") && !c.version.Before(52)
	oldFields := c.version.Before(52) || (c.version.Before(53) && !verbose)
	o.Verbose = verbose || oldFields
	du, err := s.System.DiskUsage(c.ctx(), o)
	if err != nil {
		return err
	}
	if !oldFields {
		if !verbose {
			du = withoutItems(du)
		}
		return writeJSON(c.w, http.StatusOK, du)
	}
	legacy := legacyUsage(c.version, o, du)
	if c.version.Before(52) {
		return writeJSON(c.w, http.StatusOK, legacy)
	}
	return writeJSON(c.w, http.StatusOK, bothDiskUsage{DiskUsage: withoutItems(du), legacyDiskUsage: legacy})
}

// diskUsageOptions reads the types asked for; before 1.42 it was always everything.
func (c *call) diskUsageOptions() (DiskUsageOptions, error) {
	var o DiskUsageOptions
	types := c.query["type"]
	if c.version.Before(42) {
		types = nil
	}
	for _, t := range types {
		switch system.DiskUsageObject(t) {
		case system.ContainerObject:
			o.Containers = true
		case system.ImageObject:
			o.Images = true
		case system.VolumeObject:
			o.Volumes = true
		case system.BuildCacheObject:
			o.BuildCache = true
		default:
			return o, errdefs.Invalid("unknown object type: %s", t)
		}
	}
	if len(types) == 0 {
		o.Containers, o.Images, o.Volumes, o.BuildCache = true, true, true, true
	}
	return o, nil
}

// legacyUsage lists what was asked for; what was not is null.
func legacyUsage(v Version, o DiskUsageOptions, du *system.DiskUsage) legacyDiskUsage {
	var old legacyDiskUsage
	if o.Images && du.ImageUsage != nil {
		old.LayersSize = du.ImageUsage.TotalSize
		old.Images = summariesFor(v, du.ImageUsage.Items)
	}
	if o.Containers && du.ContainerUsage != nil {
		old.Containers = notNil(du.ContainerUsage.Items)
	}
	if o.Volumes && du.VolumeUsage != nil {
		old.Volumes = notNil(du.VolumeUsage.Items)
	}
	if o.BuildCache && du.BuildCacheUsage != nil {
		old.BuildCache = notNil(du.BuildCacheUsage.Items)
	}
	if v.Before(42) {
		var size int64
		for i := range old.BuildCache {
			size += old.BuildCache[i].Size
		}
		old.BuilderSize = &size
	}
	return old
}

func withoutItems(du *system.DiskUsage) *system.DiskUsage {
	out := system.DiskUsage{}
	if du.ImageUsage != nil {
		u := *du.ImageUsage
		u.Items, out.ImageUsage = nil, &u
	}
	if du.ContainerUsage != nil {
		u := *du.ContainerUsage
		u.Items, out.ContainerUsage = nil, &u
	}
	if du.VolumeUsage != nil {
		u := *du.VolumeUsage
		u.Items, out.VolumeUsage = nil, &u
	}
	if du.BuildCacheUsage != nil {
		u := *du.BuildCacheUsage
		u.Items, out.BuildCacheUsage = nil, &u
	}
	return &out
}
