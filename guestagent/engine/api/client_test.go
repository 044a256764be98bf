package api

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// What moby's own client sends arrives at the engine as meant, in the newest and in an old version.
func TestClientVerbs(t *testing.T) {
	ctx := context.Background()
	ten := 10
	arm := []ocispec.Platform{{OS: "linux", Architecture: "arm64"}}
	label := client.Filters{}.Add("label", "a=b")
	digest := "sha256:" + strings.Repeat("a", 64)
	for _, tc := range []struct {
		want string
		do   func(cli *client.Client) error
	}{
		{"ContainerCreate web linux/arm64", func(cli *client.Client) error {
			r, err := cli.ContainerCreate(ctx, client.ContainerCreateOptions{Name: "web", Platform: &arm[0], Image: "x"})
			if err == nil && (r.ID != "c1" || r.Warnings == nil) {
				t.Errorf("create gave %+v, want c1 and an empty list of warnings", r)
			}
			return err
		}},
		{"ContainerStart web", func(cli *client.Client) error {
			_, err := cli.ContainerStart(ctx, "web", client.ContainerStartOptions{})
			return err
		}},
		{"ContainerStop web signal=INT 10", func(cli *client.Client) error {
			_, err := cli.ContainerStop(ctx, "web", client.ContainerStopOptions{Signal: "INT", Timeout: &ten})
			return err
		}},
		{"ContainerRestart web signal= -", func(cli *client.Client) error {
			_, err := cli.ContainerRestart(ctx, "web", client.ContainerRestartOptions{})
			return err
		}},
		{"ContainerKill web KILL", func(cli *client.Client) error {
			_, err := cli.ContainerKill(ctx, "web", client.ContainerKillOptions{Signal: "KILL"})
			return err
		}},
		{"ContainerPause web", func(cli *client.Client) error {
			_, err := cli.ContainerPause(ctx, "web", client.ContainerPauseOptions{})
			return err
		}},
		{"ContainerUnpause web", func(cli *client.Client) error {
			_, err := cli.ContainerUnpause(ctx, "web", client.ContainerUnpauseOptions{})
			return err
		}},
		{"ContainerRename web www", func(cli *client.Client) error {
			_, err := cli.ContainerRename(ctx, "web", client.ContainerRenameOptions{NewName: "www"})
			return err
		}},
		{"ContainerUpdate web", func(cli *client.Client) error {
			_, err := cli.ContainerUpdate(ctx, "web", client.ContainerUpdateOptions{Resources: &container.Resources{Memory: 5}})
			return err
		}},
		{"ContainerRemove web true true false", func(cli *client.Client) error {
			_, err := cli.ContainerRemove(ctx, "web", client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			return err
		}},
		{"ContainerPrune map[label:map[a=b:true]]", func(cli *client.Client) error {
			r, err := cli.ContainerPrune(ctx, client.ContainerPruneOptions{Filters: label})
			if err == nil && r.Report.SpaceReclaimed != 7 {
				t.Errorf("prune gave %+v", r)
			}
			return err
		}},
		{"ContainerList true true 3 map[label:map[a=b:true]]", func(cli *client.Client) error {
			_, err := cli.ContainerList(ctx, client.ContainerListOptions{All: true, Size: true, Limit: 3, Filters: label})
			return err
		}},
		{"ContainerInspect web true", func(cli *client.Client) error {
			r, err := cli.ContainerInspect(ctx, "web", client.ContainerInspectOptions{Size: true})
			if err == nil && r.Container.ID != "c1" {
				t.Errorf("inspect gave %+v", r.Container)
			}
			return err
		}},
		{"ContainerTop web -o pid", func(cli *client.Client) error {
			_, err := cli.ContainerTop(ctx, "web", client.ContainerTopOptions{Arguments: []string{"-o", "pid"}})
			return err
		}},
		{"ContainerChanges web", func(cli *client.Client) error {
			_, err := cli.ContainerDiff(ctx, "web", client.ContainerDiffOptions{})
			return err
		}},
		{"ContainerResize web 24 80", func(cli *client.Client) error {
			_, err := cli.ContainerResize(ctx, "web", client.ContainerResizeOptions{Height: 24, Width: 80})
			return err
		}},
		{"ExecCreate web", func(cli *client.Client) error {
			r, err := cli.ExecCreate(ctx, "web", client.ExecCreateOptions{Cmd: []string{"true"}})
			if err == nil && r.ID != "e1" {
				t.Errorf("exec create gave %+v", r)
			}
			return err
		}},
		{"ExecStart e1 true false", func(cli *client.Client) error {
			_, err := cli.ExecStart(ctx, "e1", client.ExecStartOptions{Detach: true})
			return err
		}},
		{"ExecInspect e1", func(cli *client.Client) error {
			_, err := cli.ExecInspect(ctx, "e1", client.ExecInspectOptions{})
			return err
		}},
		{"ExecResize e1 1 2", func(cli *client.Client) error {
			_, err := cli.ExecResize(ctx, "e1", client.ExecResizeOptions{Height: 1, Width: 2})
			return err
		}},
		{"ContainerStatPath web /etc/hosts", func(cli *client.Client) error {
			r, err := cli.ContainerStatPath(ctx, "web", client.ContainerStatPathOptions{Path: "/etc/hosts"})
			if err == nil && (r.Stat.Name != "hosts" || r.Stat.Size != 5) {
				t.Errorf("stat gave %+v", r.Stat)
			}
			return err
		}},
		{"ContainerGetArchive web /etc/hosts", func(cli *client.Client) error {
			r, err := cli.CopyFromContainer(ctx, "web", client.CopyFromContainerOptions{SourcePath: "/etc/hosts"})
			if err != nil {
				return err
			}
			data, err := io.ReadAll(r.Content)
			if string(data) != "a tar" || r.Stat.Name != "hosts" {
				t.Errorf("copy from gave %q and %+v", data, r.Stat)
			}
			return err
		}},
		{"ContainerPutArchive web /etc true true", func(cli *client.Client) error {
			_, err := cli.CopyToContainer(ctx, "web", client.CopyToContainerOptions{DestinationPath: "/etc", CopyUIDGID: true, Content: strings.NewReader("a tar")})
			return err
		}},
		{"ImageList true true true map[]", func(cli *client.Client) error {
			_, err := cli.ImageList(ctx, client.ImageListOptions{All: true, SharedSize: true, Manifests: true})
			return err
		}},
		{"ImagePull docker.io/library/ubuntu:24.04 linux/arm64", func(cli *client.Client) error {
			r, err := cli.ImagePull(ctx, "ubuntu:24.04", client.ImagePullOptions{Platforms: arm})
			if err != nil {
				return err
			}
			return r.Wait(ctx)
		}},
		{"ImagePull docker.io/library/ubuntu@" + digest + " -", func(cli *client.Client) error {
			r, err := cli.ImagePull(ctx, "ubuntu@"+digest, client.ImagePullOptions{})
			if err != nil {
				return err
			}
			return r.Wait(ctx)
		}},
		{"ImagePush localhost:5000/a/b:1 linux/arm64", func(cli *client.Client) error {
			r, err := cli.ImagePush(ctx, "localhost:5000/a/b:1", client.ImagePushOptions{Platform: &arm[0], RegistryAuth: "e30="})
			if err != nil {
				return err
			}
			return r.Wait(ctx)
		}},
		{"ImageInspect x:1 linux/arm64 false", func(cli *client.Client) error {
			_, err := cli.ImageInspect(ctx, "x:1", client.ImageInspectWithPlatform(&arm[0]))
			return err
		}},
		{"ImageHistory x -", func(cli *client.Client) error {
			_, err := cli.ImageHistory(ctx, "x")
			return err
		}},
		{"ImageTag x docker.io/library/y:1", func(cli *client.Client) error {
			_, err := cli.ImageTag(ctx, client.ImageTagOptions{Source: "x", Target: "y:1"})
			return err
		}},
		{"ImageRemove x:1 true false", func(cli *client.Client) error {
			r, err := cli.ImageRemove(ctx, "x:1", client.ImageRemoveOptions{Force: true, PruneChildren: true})
			if err == nil && (len(r.Items) != 1 || r.Items[0].Untagged != "x:1") {
				t.Errorf("rmi gave %+v", r)
			}
			return err
		}},
		{"ImagePrune map[dangling:map[false:true]]", func(cli *client.Client) error {
			_, err := cli.ImagePrune(ctx, client.ImagePruneOptions{Filters: client.Filters{}.Add("dangling", "false")})
			return err
		}},
		{"ImageLoad false", func(cli *client.Client) error {
			r, err := cli.ImageLoad(ctx, strings.NewReader("a tar"))
			if err != nil {
				return err
			}
			return r.Close()
		}},
		{"ImageSave [a b] -", func(cli *client.Client) error {
			r, err := cli.ImageSave(ctx, []string{"a", "b"})
			if err != nil {
				return err
			}
			return r.Close()
		}},
		{"RegistryLogin reg.example", func(cli *client.Client) error {
			_, err := cli.RegistryLogin(ctx, client.RegistryLoginOptions{ServerAddress: "reg.example", Username: "u", Password: "p"})
			return err
		}},
		{"DistributionInspect docker.io/library/x:1", func(cli *client.Client) error {
			_, err := cli.DistributionInspect(ctx, "x:1", client.DistributionInspectOptions{})
			return err
		}},
		{"NetworkCreate back false", func(cli *client.Client) error {
			_, err := cli.NetworkCreate(ctx, "back", client.NetworkCreateOptions{})
			return err
		}},
		{"NetworkList map[driver:map[bridge:true]]", func(cli *client.Client) error {
			_, err := cli.NetworkList(ctx, client.NetworkListOptions{Filters: client.Filters{}.Add("driver", "bridge")})
			return err
		}},
		{"NetworkInspect back true", func(cli *client.Client) error {
			_, err := cli.NetworkInspect(ctx, "back", client.NetworkInspectOptions{Verbose: true, Scope: "local"})
			return err
		}},
		{"NetworkConnect back web", func(cli *client.Client) error {
			_, err := cli.NetworkConnect(ctx, "back", client.NetworkConnectOptions{Container: "web"})
			return err
		}},
		{"NetworkDisconnect back web true", func(cli *client.Client) error {
			_, err := cli.NetworkDisconnect(ctx, "back", client.NetworkDisconnectOptions{Container: "web", Force: true})
			return err
		}},
		{"NetworkRemove back", func(cli *client.Client) error {
			_, err := cli.NetworkRemove(ctx, "back", client.NetworkRemoveOptions{})
			return err
		}},
		{"NetworkPrune map[]", func(cli *client.Client) error {
			_, err := cli.NetworkPrune(ctx, client.NetworkPruneOptions{})
			return err
		}},
		{"VolumeCreate data local", func(cli *client.Client) error {
			_, err := cli.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "data", Driver: "local"})
			return err
		}},
		{"VolumeList map[dangling:map[true:true]]", func(cli *client.Client) error {
			_, err := cli.VolumeList(ctx, client.VolumeListOptions{Filters: client.Filters{}.Add("dangling", "true")})
			return err
		}},
		{"VolumeInspect data", func(cli *client.Client) error {
			_, err := cli.VolumeInspect(ctx, "data", client.VolumeInspectOptions{})
			return err
		}},
		{"VolumeRemove data true", func(cli *client.Client) error {
			_, err := cli.VolumeRemove(ctx, "data", client.VolumeRemoveOptions{Force: true})
			return err
		}},
		{"VolumePrune map[]", func(cli *client.Client) error {
			_, err := cli.VolumePrune(ctx, client.VolumePruneOptions{})
			return err
		}},
		{"Info", func(cli *client.Client) error {
			_, err := cli.Info(ctx, client.InfoOptions{})
			return err
		}},
		{"Version", func(cli *client.Client) error {
			r, err := cli.ServerVersion(ctx, client.ServerVersionOptions{})
			if err == nil && (r.APIVersion != "1.56" || r.MinAPIVersion != "1.24" || r.Components[0].Details["ApiVersion"] != "1.56") {
				t.Errorf("version gave %+v", r)
			}
			return err
		}},
		{"DiskUsage", func(cli *client.Client) error {
			r, err := cli.DiskUsage(ctx, client.DiskUsageOptions{Images: true, Verbose: true})
			if err == nil && (r.Images.TotalSize != 9 || len(r.Images.Items) != 1) {
				t.Errorf("df gave %+v", r)
			}
			return err
		}},
		{"BuildPrune", func(cli *client.Client) error {
			_, err := cli.BuildCachePrune(ctx, client.BuildCachePruneOptions{})
			return err
		}},
	} {
		f := verbsFake()
		cli := dial(t, f)
		if err := tc.do(cli); err != nil {
			t.Errorf("%s: %v", tc.want, err)
		}
		if got := f.last(); got != tc.want {
			t.Errorf("the engine was asked %q, want %q", got, tc.want)
		}
	}
}

func verbsFake() *fake {
	return &fake{
		progress: nothing,
		archive:  "a tar",
		inspect:  &container.InspectResponse{ID: "c1"},
		image:    &image.InspectResponse{ID: "i1"},
		net:      &network.Inspect{Network: network.Network{ID: "n1", Scope: "local"}},
		info:     &system.Info{ID: "e"},
		usage:    &system.DiskUsage{ImageUsage: &image.DiskUsage{TotalSize: 9, Items: []image.Summary{{ID: "i"}}}},
	}
}

// A container with much to say arrives whole.
func TestCreateArrivesWhole(t *testing.T) {
	f := &fake{}
	cli := dial(t, f)
	port := network.MustParsePort("80/tcp")
	_, err := cli.ContainerCreate(context.Background(), client.ContainerCreateOptions{
		Config: &container.Config{Image: "x", Env: []string{"A=b"}, Labels: map[string]string{"<l>": "&"}, ExposedPorts: network.PortSet{port: {}}},
		HostConfig: &container.HostConfig{
			PortBindings: network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "8080"}}},
			DNS:          []netip.Addr{netip.MustParseAddr("9.9.9.9")},
			Resources:    container.Resources{Memory: 1 << 20, PidsLimit: new(int64), MemorySwappiness: new(int64(-1))},
		},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"back": {Aliases: []string{"w"}, MacAddress: network.HardwareAddr{2, 0, 0, 0, 0, 1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := f.created
	switch {
	case got.Config.Labels["<l>"] != "&", got.Config.Env[0] != "A=b":
		t.Errorf("config = %+v", got.Config)
	case got.HostConfig.PortBindings[port][0].HostPort != "8080", got.HostConfig.DNS[0].String() != "9.9.9.9", got.HostConfig.Memory != 1<<20:
		t.Errorf("host config = %+v", got.HostConfig)
	case got.HostConfig.PidsLimit != nil, got.HostConfig.MemorySwappiness != nil:
		t.Errorf("a pids limit of 0 and a swappiness of -1 became %v and %v, want null, as dockerd tells", got.HostConfig.PidsLimit, got.HostConfig.MemorySwappiness)
	case got.HostConfig.NetworkMode != "default":
		t.Errorf("network mode = %q, want default", got.HostConfig.NetworkMode)
	case got.NetworkingConfig.EndpointsConfig["back"].MacAddress.String() != "02:00:00:00:00:01":
		t.Errorf("endpoint = %+v", got.NetworkingConfig.EndpointsConfig["back"])
	}
}

func TestClientUnderstandsErrors(t *testing.T) {
	f := &fake{fail: map[string]error{"ContainerStart": errdefs.NotFound("No such container: web"), "ContainerKill": errdefs.Conflict("not running")}}
	cli := dial(t, f)
	_, err := cli.ContainerStart(context.Background(), "web", client.ContainerStartOptions{})
	if !cerrdefs.IsNotFound(err) || !strings.Contains(err.Error(), "No such container: web") {
		t.Errorf("start = %v, want not found", err)
	}
	if _, err = cli.ContainerKill(context.Background(), "web", client.ContainerKillOptions{}); !cerrdefs.IsConflict(err) {
		t.Errorf("kill = %v, want a conflict", err)
	}
}

// The credentials that a client sends reach the engine; broken ones count as none.
func TestCredentials(t *testing.T) {
	for header, user := range map[string]string{
		"eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAifQ==": "u",
		"eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAifQ":   "u",
		"":       "",
		"e30=":   "",
		"%%%":    "",
		"bm8=":   "",
		"e317fQ": "",
	} {
		f := &fake{progress: nothing}
		w := ask(f, "POST", "/images/create?fromImage=x", "", "X-Registry-Auth: "+header)
		if w.Code != 200 || f.auth == nil || f.auth.Username != user {
			t.Errorf("header %q: %d, %+v, want 200 and user %q", header, w.Code, f.auth, user)
		}
	}
}

// A client that leaves ends the engine's work.
func TestClientThatLeavesCancels(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	f := &fake{progress: func(ctx context.Context, w io.Writer) error {
		close(began)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}}
	cli := dial(t, f)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-began; cancel() }()
	if r, err := cli.ImagePull(ctx, "x", client.ImagePullOptions{}); err == nil {
		err = r.Wait(ctx)
		if err == nil {
			t.Error("the pull succeeded")
		}
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the engine still pulls")
	}
}
