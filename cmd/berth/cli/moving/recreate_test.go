package moving

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

func TestRecreateAsksForWhatWasAskedFor(t *testing.T) {
	id, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	c := container{name: "web", spec: apicontainer.InspectResponse{
		ID: id, Name: "/web", Config: &apicontainer.Config{Hostname: id[:12], Image: "x", Env: []string{"A=b"}},
		HostConfig: &apicontainer.HostConfig{
			NetworkMode: "back", IpcMode: apicontainer.IpcMode("container:" + other), Links: []string{"/db:/web/alias"},
			Binds: []string{"data:/data:ro"},
		},
		Mounts: []apicontainer.MountPoint{
			{Type: mount.TypeVolume, Name: "data", Destination: "/data"}, {Type: mount.TypeVolume, Name: "f00", Destination: "/anon", RW: true},
		},
		NetworkSettings: &apicontainer.NetworkSettings{Networks: map[string]*network.EndpointSettings{
			"back":   {Aliases: []string{"app", id[:12]}, IPAddress: netip.MustParseAddr("10.0.0.2"), NetworkID: "n", IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr("10.0.0.2")}},
			"bridge": {IPAddress: netip.MustParseAddr("172.17.0.2")},
		}},
	}}
	all := []container{{name: "db", spec: apicontainer.InspectResponse{ID: other}}, c}
	o := recreate(c, all, "y")
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Name":"web"`, `"Image":"y"`, `"IpcMode":"container:db"`, `"Links":["db:alias"]`, `"Source":"f00","Target":"/anon"`, `"Aliases":["app"]`, `"IPv4Address":"10.0.0.2"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	if o.Config.Hostname != "" || len(o.HostConfig.Mounts) != 1 || len(o.NetworkingConfig.EndpointsConfig) != 1 || o.NetworkingConfig.EndpointsConfig["back"].NetworkID != "" {
		t.Errorf("%s", b)
	}
	if c.spec.Config.Image != "x" || c.spec.HostConfig.Links[0] != "/db:/web/alias" {
		t.Error("what was read has been changed")
	}
	if !dropAddresses(o.NetworkingConfig) || o.NetworkingConfig.EndpointsConfig["back"].IPAMConfig != nil || dropAddresses(nil) {
		t.Error("the fixed address stays")
	}
}

func TestMountPointsAreNoChanges(t *testing.T) {
	c := container{spec: apicontainer.InspectResponse{Mounts: []apicontainer.MountPoint{{Destination: "/srv/data"}}}}
	for path, want := range map[string]bool{"/srv": true, "/srv/data": true, "/srv/data/x": false, "/srv/other": false, "/s": false} {
		if isMountPoint(path, c) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
