//go:build linux

package runtime

import (
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

// setDeviceRequests injects the devices that were asked for by name: --device vendor/class=name, and --gpus through
// the vendor's CDI description (Container Device Interface, /etc/cdi and /var/run/cdi).
func setDeviceRequests(s *specs.Spec, in Input) error {
	var names []string
	for i := range in.Host.DeviceRequests {
		more, err := cdiNames(&in.Host.DeviceRequests[i])
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	if len(names) == 0 {
		return nil
	}
	cache, err := cdi.NewCache(cdi.WithAutoRefresh(false))
	if err != nil {
		return errdefs.System("reading CDI descriptions: %w", err)
	}
	if missing, err := cache.InjectDevices(s, names...); err != nil {
		e := errdefs.Invalid("CDI device injection failed: %w", err)
		if len(missing) > 0 {
			e = e.WithHint("describe %s in a file of /etc/cdi or /var/run/cdi", strings.Join(missing, ", "))
		}
		return e
	}
	return nil
}

// DiscoveredDevices are those that CDI descriptions name now.
func DiscoveredDevices() (out []system.DeviceInfo) {
	cache, err := cdi.NewCache(cdi.WithAutoRefresh(false))
	if err != nil {
		return nil
	}
	for _, name := range cache.ListDevices() {
		out = append(out, system.DeviceInfo{Source: "cdi", ID: name})
	}
	return out
}

// gpuKind is the CDI kind that --gpus stands for.
const gpuKind = "nvidia.com/gpu"

func cdiNames(r *container.DeviceRequest) (names []string, err error) {
	if r.Driver == "cdi" {
		if r.Count != 0 {
			return nil, errdefs.Invalid("invalid device request: a CDI device is asked for by name, not by count")
		}
		return r.DeviceIDs, nil
	}
	gpu := r.Driver == "nvidia"
	for _, set := range r.Capabilities {
		for _, c := range set {
			gpu = gpu || r.Driver == "" && c == "gpu"
		}
	}
	if !gpu {
		return nil, noDriver(r)
	}
	switch {
	case len(r.DeviceIDs) > 0:
		for _, id := range r.DeviceIDs {
			names = append(names, gpuKind+"="+id)
		}
	case r.Count < 0:
		names = []string{gpuKind + "=all"}
	default:
		for i := range r.Count {
			names = append(names, gpuKind+"="+strconv.Itoa(i))
		}
	}
	return names, nil
}

// noDriver is docker's refusal.
func noDriver(r *container.DeviceRequest) error {
	sets := make([]string, len(r.Capabilities))
	for i, set := range r.Capabilities {
		sets[i] = "[" + strings.Join(set, " ") + "]"
	}
	return errdefs.Invalid("could not select device driver %q with capabilities: [%s]", r.Driver, strings.Join(sets, " "))
}
