package api

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// at reads a value out of decoded JSON by "A.B.0.C"; missing is "<none>".
func at(doc []byte, path string) string {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return "no JSON: " + err.Error()
	}
	for _, key := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			next, ok := node[key]
			if !ok {
				return "<none>"
			}
			v = next
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(node) {
				return "<none>"
			}
			v = node[i]
		default:
			return "<none>"
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// row is one field of an answer or of what reached the engine, in the version before its gate and in that of it.
type row struct {
	path    string
	since   int
	before  string
	after   string
	targets string // other than the test's own
}

// Each gate of a create, from both sides.
func TestCreateGates(t *testing.T) {
	const body = `{"Image":"x","Healthcheck":{"StartInterval":5},
		"HostConfig":{"Umask":18,"Annotations":{"a":"b"},"ConsoleSize":[24,80],"PidsLimit":5,"AutoRemove":true,"Mounts":[
			{"Type":"bind","Source":"/a","Target":"/a","BindOptions":{"CreateMountpoint":true,"NonRecursive":true,"ReadOnlyForceRecursive":true}},
			{"Type":"volume","Target":"/b","VolumeOptions":{"Subpath":"s"}},
			{"Type":"tmpfs","Target":"/c","TmpfsOptions":{"Options":[["exec"]]}}]},
		"NetworkingConfig":{"EndpointsConfig":{"back":{"MacAddress":"02:00:00:00:00:01","GwPriority":3}}}}`
	for _, tc := range []row{
		{path: "HostConfig.Umask", since: 56, before: "null", after: "18"},
		{path: "NetworkingConfig.EndpointsConfig.back.GwPriority", since: 48, before: "0", after: "3"},
		{path: "HostConfig.Mounts.2.TmpfsOptions.Options", since: 46, before: "<none>", after: `[["exec"]]`},
		{path: "HostConfig.Mounts.1.VolumeOptions.Subpath", since: 45, before: "<none>", after: `"s"`},
		{path: "Healthcheck.StartInterval", since: 44, before: "<none>", after: "5"},
		{path: "HostConfig.Mounts.0.BindOptions.ReadOnlyForceRecursive", since: 44, before: "<none>", after: "true"},
		{path: "HostConfig.Mounts.0.BindOptions.ReadOnlyNonRecursive", since: 44, before: "true", after: "<none>"},
		{path: "NetworkingConfig.EndpointsConfig.back.MacAddress", since: 44, before: `""`, after: `"02:00:00:00:00:01"`},
		{path: "HostConfig.Annotations", since: 43, before: "<none>", after: `{"a":"b"}`},
		{path: "HostConfig.ConsoleSize", since: 42, before: "[0,0]", after: "[24,80]"},
		{path: "HostConfig.Mounts.0.BindOptions.CreateMountpoint", since: 42, before: "<none>", after: "true"},
		{path: "HostConfig.CgroupnsMode", since: 41, before: `"host"`, after: `""`},
		{path: "HostConfig.IpcMode", since: 40, before: `"shareable"`, after: `""`},
		{path: "HostConfig.PidsLimit", since: 40, before: "null", after: "5"},
		{path: "HostConfig.Mounts.0.BindOptions.NonRecursive", since: 40, before: "<none>", after: "true"},
		{path: "HostConfig.AutoRemove", since: 25, before: "false", after: "true"},
	} {
		for _, side := range []struct {
			minor int
			want  string
		}{{tc.since - 1, tc.before}, {tc.since, tc.after}} {
			f := &fake{}
			w := ask(f, "POST", fmt.Sprintf("/v1.%d/containers/create", side.minor), body)
			if w.Code != 201 {
				t.Fatalf("1.%d: %d %s", side.minor, w.Code, w.Body)
			}
			got, err := json.Marshal(f.created)
			if err != nil {
				t.Fatal(err)
			}
			want := side.want
			if tc.path == "HostConfig.Umask" && want == "null" {
				want = at(got, tc.path) // null or left out: both are none
				if f.created.HostConfig.Umask != nil {
					t.Errorf("1.%d: umask = %v", side.minor, *f.created.HostConfig.Umask)
				}
			}
			if have := at(got, tc.path); have != want {
				t.Errorf("1.%d: %s = %s, want %s", side.minor, tc.path, have, want)
			}
		}
	}
}

// Every gate of the table has a row above, by its version.
func TestCreateGatesAreInOrder(t *testing.T) {
	last := newestMinor + 1
	for _, g := range createGates() {
		if g.since > last || g.since <= oldestMinor || g.field == "" {
			t.Errorf("gate %q of 1.%d is out of order or out of range", g.field, g.since)
		}
		last = g.since
	}
}

// The container's own MAC address of old clients becomes that of its main network.
func TestCreateMAC(t *testing.T) {
	const mac = "02:00:00:00:00:01"
	for _, tc := range []struct {
		minor          int
		host, net      string
		want, endpoint string
		warnings       int
	}{
		{43, `{}`, `{}`, mac, "bridge", 0},
		{43, `{"NetworkMode":"back"}`, `{}`, mac, "back", 0},
		{43, `{"NetworkMode":"back"}`, `{"back":{"MacAddress":"02:00:00:00:00:09"}}`, mac, "back", 0},
		{44, `{}`, `{}`, mac, "bridge", 1},
		{51, `{"NetworkMode":"default"}`, `{"default":{}}`, mac, "default", 1},
		{51, `{"NetworkMode":"back"}`, `{"back":{"MacAddress":"02:00:00:00:00:01"}}`, mac, "back", 1},
		{52, `{}`, `{"bridge":{}}`, "", "bridge", 0},
	} {
		f := &fake{}
		body := fmt.Sprintf(`{"Image":"x","MacAddress":%q,"HostConfig":%s,"NetworkingConfig":{"EndpointsConfig":%s}}`, mac, tc.host, tc.net)
		w := ask(f, "POST", fmt.Sprintf("/v1.%d/containers/create", tc.minor), body)
		if w.Code != 201 {
			t.Errorf("1.%d %s %s: %d %s", tc.minor, tc.host, tc.net, w.Code, w.Body)
			continue
		}
		ep := f.created.NetworkingConfig.EndpointsConfig[tc.endpoint]
		if ep == nil || ep.MacAddress.String() != tc.want {
			t.Errorf("1.%d %s %s: endpoint %+v, want %q", tc.minor, tc.host, tc.net, ep, tc.want)
		}
		var resp container.CreateResponse
		if err := json.Unmarshal(w.Body.Bytes(), &resp); err != nil || len(resp.Warnings) != tc.warnings {
			t.Errorf("1.%d: warnings %q, %v, want %d", tc.minor, resp.Warnings, err, tc.warnings)
		}
	}
}

// check compares a field of an answer on both sides of its gate.
func check(t *testing.T, f *fake, method, target string, rows []row) {
	t.Helper()
	for _, tc := range rows {
		for _, side := range []struct {
			minor int
			want  string
		}{{tc.since - 1, tc.before}, {tc.since, tc.after}} {
			path := target
			if tc.targets != "" {
				path = tc.targets
			}
			w := ask(f, method, fmt.Sprintf("/v1.%d%s", side.minor, path), "")
			if w.Code != 200 {
				t.Fatalf("1.%d %s: %d %s", side.minor, path, w.Code, w.Body)
			}
			if got := at(w.Body.Bytes(), tc.path); got != side.want {
				t.Errorf("1.%d %s: %s = %s, want %s", side.minor, path, tc.path, got, side.want)
			}
		}
	}
}

func TestInspectByVersion(t *testing.T) {
	f := &fake{inspect: &container.InspectResponse{
		ID: "c1", Config: &container.Config{Image: "x"}, HostConfig: &container.HostConfig{NetworkMode: "bridge"},
		ImageManifestDescriptor: &ocispec.Descriptor{Size: 1},
		NetworkSettings: &container.NetworkSettings{SandboxID: "s", Networks: map[string]*network.EndpointSettings{"bridge": {
			EndpointID: "e", Gateway: netip.MustParseAddr("172.17.0.1"), IPAddress: netip.MustParseAddr("172.17.0.2"), IPPrefixLen: 16,
			MacAddress: network.HardwareAddr{2, 0, 0, 0, 0, 1},
		}}},
	}}
	check(t, f, "GET", "/containers/c/json", []row{
		{path: "NetworkSettings.IPAddress", since: 52, before: `"172.17.0.2"`, after: "<none>"},
		{path: "NetworkSettings.Gateway", since: 52, before: `"172.17.0.1"`, after: "<none>"},
		{path: "NetworkSettings.IPPrefixLen", since: 52, before: "16", after: "<none>"},
		{path: "NetworkSettings.GlobalIPv6Address", since: 52, before: `""`, after: "<none>"},
		{path: "NetworkSettings.MacAddress", since: 52, before: `"02:00:00:00:00:01"`, after: "<none>"},
		{path: "NetworkSettings.SecondaryIPAddresses", since: 52, before: "null", after: "<none>"},
		{path: "Config.MacAddress", since: 52, before: `"02:00:00:00:00:01"`, after: "<none>"},
		{path: "ImageManifestDescriptor.size", since: 48, before: "<none>", after: "1"},
		{path: "NetworkSettings.SandboxID", since: 52, before: `"s"`, after: `"s"`},
		{path: "NetworkSettings.Networks.bridge.IPAddress", since: 52, before: `"172.17.0.2"`, after: `"172.17.0.2"`},
		{path: "Config.Image", since: 52, before: `"x"`, after: `"x"`},
		{path: "Id", since: 52, before: `"c1"`, after: `"c1"`},
	})
	if f.inspect.ImageManifestDescriptor == nil {
		t.Error("answering an old client changed the engine's own record")
	}
	bare := &fake{inspect: &container.InspectResponse{ID: "c1"}}
	if w := ask(bare, "GET", "/v1.40/containers/c/json", ""); w.Code != 200 {
		t.Errorf("a container without settings gave %d", w.Code)
	}
}

func TestImagesByVersion(t *testing.T) {
	f := &fake{
		image: &image.InspectResponse{ID: "i1", Size: 9, Config: &dockerspec.DockerOCIImageConfig{ImageConfig: ocispec.ImageConfig{Cmd: []string{"sh"}}}, Descriptor: &ocispec.Descriptor{Size: 1}},
	}
	check(t, f, "GET", "/images/x/json", []row{
		{path: "Parent", since: 52, before: `""`, after: "<none>"},
		{path: "Comment", since: 52, before: `""`, after: "<none>"},
		{path: "Config.WorkingDir", since: 52, before: `""`, after: "<none>"},
		{path: "Config.Env", since: 52, before: "null", after: "<none>"},
		{path: "Config.Cmd", since: 52, before: `["sh"]`, after: `["sh"]`},
		{path: "Config.Hostname", since: 50, before: `""`, after: "<none>"},
		{path: "Config.Tty", since: 50, before: "false", after: "<none>"},
		{path: "Descriptor.size", since: 48, before: "<none>", after: "1"},
		{path: "VirtualSize", since: 44, before: "9", after: "<none>"},
		{path: "Size", since: 44, before: "9", after: "9"},
	})
	for minor, want := range map[int]string{43: "9 <none> -1", 44: "<none> <none> -1", 48: "<none> 1 -1", 51: "<none> 1 2"} {
		f.images = []image.Summary{{ID: "i1", Size: 9, Containers: 2, Descriptor: &ocispec.Descriptor{Size: 1}}}
		doc := ask(f, "GET", fmt.Sprintf("/v1.%d/images/json", minor), "").Body.Bytes()
		if got := strings.Join([]string{at(doc, "0.VirtualSize"), at(doc, "0.Descriptor.size"), at(doc, "0.Containers")}, " "); got != want {
			t.Errorf("1.%d: %s, want %s", minor, got, want)
		}
	}
}

// Parameters that came later are not heard before.
func TestParametersByVersion(t *testing.T) {
	for _, tc := range []struct{ req, before, after string }{
		{"42 POST /containers/w/stop?signal=INT", "ContainerStop w signal= -", "ContainerStop w signal=INT -"},
		{"42 GET /images/json?shared-size=1", "ImageList false false false map[]", "ImageList false true false map[]"},
		{"47 GET /images/json?manifests=1", "ImageList false false false map[]", "ImageList false false true map[]"},
		{"54 GET /images/json?identity=1", "ImageList false false false map[]", "ImageList false false true map[]"},
		{"28 GET /images/json?filter=x", "ImageList false false false map[reference:map[x:true]]", "ImageList false false false map[]"},
		{"48 GET /images/x/json?manifests=1", "ImageInspect x - false", "ImageInspect x - true"},
		{`49 GET /images/x/json?platform=%7B"os":"linux","architecture":"arm64"%7D`, "ImageInspect x - false", "ImageInspect x linux/arm64 false"},
		{`48 GET /images/x/history?platform=%7B"os":"linux","architecture":"arm64"%7D`, "ImageHistory x -", "ImageHistory x linux/arm64"},
		{`48 GET /images/x/get?platform=%7B"os":"linux","architecture":"arm64"%7D`, "ImageSave [x] -", "ImageSave [x] linux/arm64"},
		{`46 POST /images/x/push?platform=%7B"os":"linux","architecture":"arm64"%7D`, "ImagePush docker.io/library/x -", "ImagePush docker.io/library/x linux/arm64"},
		{"32 POST /images/create?fromImage=x&platform=linux/arm64", "ImagePull docker.io/library/x -", "ImagePull docker.io/library/x linux/arm64"},
		{"42 POST /volumes/prune", "VolumePrune map[all:map[true:true]]", "VolumePrune map[]"},
	} {
		var since int
		var method, target string
		if _, err := fmt.Sscan(tc.req, &since, &method, &target); err != nil {
			t.Fatal(err)
		}
		for minor, want := range map[int]string{since - 1: tc.before, since: tc.after} {
			f := &fake{progress: nothing, image: &image.InspectResponse{}}
			w := ask(f, method, strings.ReplaceAll(fmt.Sprintf("/v1.%d%s", minor, target), `"`, "%22"), "")
			if f.last() != want {
				t.Errorf("1.%d %s: asked %q, want %q (%d %s)", minor, tc.req, f.last(), want, w.Code, w.Body)
			}
		}
	}
}

func TestDiskUsageByVersion(t *testing.T) {
	full := func() *system.DiskUsage {
		return &system.DiskUsage{
			ImageUsage:      &image.DiskUsage{TotalSize: 9, TotalCount: 1, Items: []image.Summary{{ID: "i", Size: 9}}},
			ContainerUsage:  &container.DiskUsage{TotalCount: 1, Items: []container.Summary{{ID: "c"}}},
			VolumeUsage:     &volume.DiskUsage{TotalCount: 1, Items: []volume.Volume{{Name: "v"}}},
			BuildCacheUsage: &build.DiskUsage{TotalCount: 1, Items: []build.CacheRecord{{ID: "b", Size: 4}}},
		}
	}
	for _, tc := range []struct{ target, path, want string }{
		{"/v1.41/system/df", "BuilderSize", "4"},
		{"/v1.41/system/df?type=image", "Containers.0.Id", `"c"`},
		{"/v1.43/system/df", "Images.0.VirtualSize", "9"},
		{"/v1.51/system/df", "LayersSize", "9"},
		{"/v1.51/system/df", "Volumes.0.Name", `"v"`},
		{"/v1.51/system/df", "BuildCache.0.ID", `"b"`},
		{"/v1.51/system/df", "BuilderSize", "<none>"},
		{"/v1.51/system/df", "ImageUsage", "<none>"},
		{"/v1.51/system/df?type=image", "Containers", "null"},
		{"/v1.52/system/df", "LayersSize", "9"},
		{"/v1.52/system/df", "ImageUsage.TotalSize", "9"},
		{"/v1.52/system/df", "ImageUsage.Items", "<none>"},
		{"/v1.52/system/df?verbose=1", "LayersSize", "<none>"},
		{"/v1.52/system/df?verbose=1", "ImageUsage.Items.0.Id", `"i"`},
		{"/v1.53/system/df", "LayersSize", "<none>"},
		{"/v1.53/system/df", "ContainerUsage.TotalCount", "1"},
		{"/v1.53/system/df", "ContainerUsage.Items", "<none>"},
		{"/system/df?verbose=1", "VolumeUsage.Items.0.Name", `"v"`},
		{"/system/df?verbose=1", "BuildCacheUsage.Items.0.ID", `"b"`},
	} {
		w := ask(&fake{usage: full()}, "GET", tc.target, "")
		if got := at(w.Body.Bytes(), tc.path); got != tc.want {
			t.Errorf("%s: %s = %s, want %s (%s)", tc.target, tc.path, got, tc.want, w.Body)
		}
	}
	for target, want := range map[string]DiskUsageOptions{
		"/system/df": {Containers: true, Images: true, Volumes: true, BuildCache: true},
		"/system/df?type=image&type=volume&verbose=1": {Images: true, Volumes: true, Verbose: true},
		"/system/df?type=container&type=build-cache":  {Containers: true, BuildCache: true},
		"/v1.51/system/df?type=container":             {Containers: true, Verbose: true},
	} {
		f := &fake{usage: full()}
		ask(f, "GET", target, "")
		if f.usageFor != want {
			t.Errorf("%s asked for %+v, want %+v", target, f.usageFor, want)
		}
	}
}

func TestInfoByVersion(t *testing.T) {
	f := &fake{info: &system.Info{
		NRI: &system.NRIInfo{}, FirewallBackend: &system.FirewallInfo{Driver: "nftables"}, Containerd: &system.ContainerdInfo{},
		DiscoveredDevices: []system.DeviceInfo{{ID: "d"}},
		Runtimes:          map[string]system.RuntimeWithStatus{"berth": {Status: map[string]string{"s": "1"}}},
	}}
	check(t, f, "GET", "/info", []row{
		{path: "NRI", since: 53, before: "<none>", after: "{}"},
		{path: "DiscoveredDevices.0.ID", since: 50, before: "<none>", after: `"d"`},
		{path: "FirewallBackend.Driver", since: 49, before: "<none>", after: `"nftables"`},
		{path: "BridgeNfIptables", since: 50, before: "false", after: "<none>"},
		{path: "Containerd.Address", since: 46, before: "<none>", after: "<none>"},
		{path: "Runtimes.berth.status.s", since: 44, before: "<none>", after: `"1"`},
		{path: "Warnings", since: 44, before: "[]", after: "[]"},
	})
	if f.info.NRI == nil || f.info.Runtimes["berth"].Status == nil {
		t.Error("answering an old client changed the engine's own record")
	}
}

func TestSmallGates(t *testing.T) {
	f := &fake{net: &network.Inspect{Network: network.Network{Scope: "local"}, Status: &network.Status{}}}
	check(t, f, "GET", "/networks/n", []row{{path: "Status.IPAM", since: 52, before: "<none>", after: "{}"}})
	if w := ask(f, "GET", "/networks/n?scope=swarm", ""); w.Code != 404 {
		t.Errorf("a network of another scope gave %d, want 404", w.Code)
	}
	for minor, want := range map[int]string{43: " 0", 44: "02:00:00:00:00:01 0", 48: "02:00:00:00:00:01 3"} {
		ask(f, "POST", fmt.Sprintf("/v1.%d/networks/n/connect", minor), `{"Container":"c","EndpointConfig":{"MacAddress":"02:00:00:00:00:01","GwPriority":3}}`)
		if got := fmt.Sprint(f.joined.EndpointConfig.MacAddress, " ", f.joined.EndpointConfig.GwPriority); got != want {
			t.Errorf("1.%d: connected with %q, want %q", minor, got, want)
		}
	}
	for minor, want := range map[int]string{47: "NetworkCreate n false", 48: "NetworkCreate n true"} {
		ask(f, "POST", fmt.Sprintf("/v1.%d/networks/create", minor), `{"Name":"n","EnableIPv4":true}`)
		if f.last() != want {
			t.Errorf("1.%d: asked %q, want %q", minor, f.last(), want)
		}
	}
	for minor, want := range map[int]bool{41: false, 42: true} {
		ask(f, "POST", fmt.Sprintf("/v1.%d/containers/w/exec", minor), `{"Cmd":["x"],"ConsoleSize":[1,2]}`)
		if got := f.execd.ConsoleSize != nil; got != want {
			t.Errorf("1.%d: console size kept %v, want %v", minor, got, want)
		}
	}
	for body, want := range map[string]bool{`{"Detach":true,"Tty":true,"ConsoleSize":[1,2]}`: true, `{"Detach":true,"ConsoleSize":[1,2]}`: false} {
		ask(f, "POST", "/exec/e/start", body)
		if got := f.started.ConsoleSize != nil; got != want {
			t.Errorf("%s: console size kept %v, want %v", body, got, want)
		}
	}
	for minor, want := range map[int]string{39: "true 0 <nil>", 40: "true 0 -1", 54: "true 0 -1", 55: "true 1 -1"} {
		ask(f, "POST", fmt.Sprintf("/v1.%d/containers/w/update", minor), `{"Memory":5,"PidsLimit":0,"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1}]}`)
		limit := "<nil>"
		if f.updated.PidsLimit != nil {
			limit = fmt.Sprint(*f.updated.PidsLimit)
		}
		if got := fmt.Sprint(f.updated.Memory == 5, " ", len(f.updated.BlkioDeviceReadBps), " ", limit); got != want {
			t.Errorf("1.%d: updated with %s, want %s", minor, got, want)
		}
	}
	for minor, want := range map[int]string{45: "<none> <none>", 46: `"b" <none>`, 48: `"b" 1`} {
		f.list = []container.Summary{{ImageManifestDescriptor: &ocispec.Descriptor{Size: 1}}}
		f.list[0].HostConfig.Annotations = map[string]string{"a": "b"}
		doc := ask(f, "GET", fmt.Sprintf("/v1.%d/containers/json", minor), "").Body.Bytes()
		if got := at(doc, "0.HostConfig.Annotations.a") + " " + at(doc, "0.ImageManifestDescriptor.size"); got != want {
			t.Errorf("1.%d: listed %s, want %s", minor, got, want)
		}
	}
}

// Lists are never null: clients index into them.
func TestEmptyLists(t *testing.T) {
	for _, target := range []string{"/containers/json", "/images/json", "/v1.40/images/json", "/networks", "/networks/", "/images/x/history", "/plugins"} {
		if w := ask(&fake{}, "GET", target, ""); strings.TrimSpace(w.Body.String()) != "[]" {
			t.Errorf("%s = %s, want []", target, w.Body)
		}
	}
	if got := at(ask(&fake{}, "GET", "/volumes", "").Body.Bytes(), "Volumes"); got != "[]" {
		t.Errorf("/volumes: Volumes = %s, want []", got)
	}
}

func TestLegacyEvents(t *testing.T) {
	for _, tc := range []struct {
		m    events.Message
		want legacyEvent
	}{
		{events.Message{Type: "container", Action: "die", Actor: events.Actor{ID: "c", Attributes: map[string]string{"image": "x"}}}, legacyEvent{Status: "die", ID: "c", From: "x"}},
		{events.Message{Type: "image", Action: "pull", Actor: events.Actor{ID: "x:1"}}, legacyEvent{Status: "pull", ID: "x:1"}},
		{events.Message{Type: "network", Action: "create", Actor: events.Actor{ID: "n"}}, legacyEvent{}},
	} {
		tc.want.Message = tc.m
		if got := eventFor(v1(51), tc.m); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%+v in 1.51 = %+v, want %+v", tc.m, got, tc.want)
		}
		if got := eventFor(v1(52), tc.m); !reflect.DeepEqual(got, tc.m) {
			t.Errorf("%+v in 1.52 = %+v, want it as it is", tc.m, got)
		}
	}
}
