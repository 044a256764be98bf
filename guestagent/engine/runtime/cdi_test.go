//go:build linux

package runtime

import (
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestDeviceRequestsBecomeNames(t *testing.T) {
	for name, tc := range map[string]struct {
		req  container.DeviceRequest
		want string
		bad  string
	}{
		"by name":     {req: container.DeviceRequest{Driver: "cdi", DeviceIDs: []string{"vendor.com/class=x"}}, want: "vendor.com/class=x"},
		"all gpus":    {req: container.DeviceRequest{Count: -1, Capabilities: [][]string{{"gpu"}}}, want: "nvidia.com/gpu=all"},
		"two gpus":    {req: container.DeviceRequest{Count: 2, Capabilities: [][]string{{"gpu"}}}, want: "nvidia.com/gpu=0,nvidia.com/gpu=1"},
		"gpus by id":  {req: container.DeviceRequest{Driver: "nvidia", DeviceIDs: []string{"GPU-7"}}, want: "nvidia.com/gpu=GPU-7"},
		"no driver":   {req: container.DeviceRequest{Count: 1, Capabilities: [][]string{{"tpu"}}}, bad: `could not select device driver "" with capabilities: [[tpu]]`},
		"cdi counted": {req: container.DeviceRequest{Driver: "cdi", Count: 1}, bad: "by name, not by count"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cdiNames(&tc.req)
			if tc.bad != "" {
				if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), tc.bad) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || strings.Join(got, ",") != tc.want {
				t.Errorf("names %v, error %v", got, err)
			}
		})
	}
}

func TestUnknownDeviceIsNamed(t *testing.T) {
	_, err := NewSpec(input(func(in *Input) {
		in.Host.DeviceRequests = []container.DeviceRequest{{Driver: "cdi", DeviceIDs: []string{"vendor.example/none=1"}}}
	}))
	if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), "vendor.example/none=1") {
		t.Errorf("error %v", err)
	}
}
