package runline

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// roundTrip are lines whose containers must come back the same through FormatRun.
func roundTrip() []string {
	return []string{
		"docker run nginx",
		"docker run -it --rm --name web --platform linux/arm64 -h box --domainname d alpine:3 sh -c 'echo \"a  b\"; exit'",
		"docker run -e A=b -e 'C=d e' -e E= -e N=$'a\\nb' -l a=b -l c --annotation x=y img",
		"docker run -u 1:2 -w /w --stop-signal INT --stop-timeout 0 --entrypoint '' img a -b",
		"docker run --restart on-failure:3 --log-driver local --log-opt max-size=1m --init img",
		"docker run --init=false --restart always img",
		"docker run -p 80 -p 8080:80 -p 127.0.0.1::81 -p 127.0.0.1:5353:53/udp -p '[::1]:90:90' -p 8000-8002:70-72 -P --expose 99 --expose 1-3/udp img",
		"docker run -v /a:/b:ro,z -v vol:/v -v /anon --tmpfs /t --tmpfs /u:size=1m,mode=700 --volumes-from x:ro --read-only --volume-driver d --storage-opt size=1G img",
		"docker run --mount type=volume,src=v,dst=/v,ro,volume-nocopy,volume-label=a=b,volume-driver=d,volume-opt=o=x,volume-subpath=s img",
		"docker run --mount type=bind,src=/a,dst=/b,readonly,bind-propagation=rprivate,bind-recursive=readonly --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777 img",
		"docker run --mount type=bind,src=/a,dst=/b,bind-create-src --mount type=image,src=i,dst=/i,image-subpath=x img",
		"docker run --network n --network-alias a --network-alias b --ip 10.0.0.2 --ip6 fd00::2 --mac-address 02:42:ac:11:00:02 --link-local-ip 169.254.1.1 --link db:db img",
		"docker run --network name=n,driver-opt=a=b,gw-priority=3 --network name=m,alias=c,ip=10.1.0.2,mac-address=02:42:ac:11:00:03 --network k img",
		"docker run --network host --add-host a:1.2.3.4 --dns 1.1.1.1 --dns-search x --dns-option ndots:2 img",
		"docker run --link db --link cache:c img",
		"docker run -m 100m --memory-reservation 1000 --memory-swap -1 --memory-swappiness 0 --shm-size 1g --cpus 1.25 --pids-limit -1 -c 5 --cpuset-cpus 0-1 --cpuset-mems 0 img",
		"docker run --cpu-period 100000 --cpu-quota -1 --cpu-rt-period 5 --cpu-rt-runtime 4 --cgroup-parent /p --oom-kill-disable --oom-score-adj -5 --blkio-weight 100 img",
		"docker run --ulimit nofile=10:20 --ulimit core=-1 --blkio-weight-device /dev/sda:200 --device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:5 img",
		"docker run --privileged --cap-add ALL --cap-drop NET_RAW --security-opt no-new-privileges --security-opt seccomp=unconfined --group-add 5 --sysctl net.core.somaxconn=5 img",
		"docker run --device /dev/a --device /dev/a:/dev/b --device /dev/a:/dev/b:r --device vendor.com/gpu=all --device-cgroup-rule 'c 1:* rwm' --gpus all img",
		"docker run --gpus '\"device=0,1\",\"capabilities=compute,utility\",driver=nvidia' img",
		"docker run --pid host --ipc shareable --uts host --userns host --cgroupns host --isolation default img",
		"docker run --health-cmd 'curl -f http://localhost || exit 1' --health-interval 90s --health-timeout 1500ms --health-retries 4 --health-start-period 1m --health-start-interval 2s img",
		"docker run --no-healthcheck --runtime other img",
	}
}

func TestALineComesBackTheSame(t *testing.T) {
	for _, line := range roundTrip() {
		first, err := ParseRun(line, Place{})
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		out, rest, err := FormatRun(Wanted{Name: first.Name, Platform: first.Platform, Create: &first.Create})
		if err != nil || len(rest) > 0 {
			t.Errorf("%s became %s: left %+v, %v", line, out, rest, err)
			continue
		}
		second, err := ParseRun(out, Place{})
		if err != nil {
			t.Errorf("%s: %v", out, err)
			continue
		}
		second.Run = first.Run
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if string(a) != string(b) {
			t.Errorf("%s\nbecame %s\n%s\n%s", line, out, a, b)
		}
	}
}

// Every flag of run must be in a line above, or be one that a line cannot bring.
func TestEveryFlagIsTried(t *testing.T) {
	all := strings.Join(roundTrip(), " ")
	for _, name := range flagNames() {
		switch name {
		case "env-file", "label-file", "cidfile", "attach", "detach-keys", "sig-proxy", "quiet", "detach", "pull", "net", "net-alias", "dns-opt":
			continue // left, about the terminal, or another name
		case "device-write-bps", "device-read-iops":
			continue // as their neighbours
		}
		long := map[string]string{"env": "-e", "label": "-l", "user": "-u", "workdir": "-w", "volume": "-v", "publish": "-p", "publish-all": "-P",
			"memory": "-m", "cpu-shares": "-c", "hostname": "-h", "interactive": "-it", "tty": "-it"}[name]
		if !strings.Contains(all, "--"+name+" ") && !strings.Contains(all, "--"+name+"=") && (long == "" || !strings.Contains(all, " "+long+" ")) {
			t.Errorf("--%s stands in no line", name)
		}
	}
}

func TestWhatFollowsFromTheImageIsNotSaid(t *testing.T) {
	in := &container.InspectResponse{
		ID: "0123456789abcdef", Name: "/web",
		Config: &container.Config{
			Hostname: "0123456789ab", Image: "nginx", Env: []string{"PATH=/bin", "MINE=1"}, Cmd: []string{"nginx"}, Entrypoint: []string{"/e"},
			Labels: map[string]string{"image": "x", "mine": "y"}, WorkingDir: "/", StopSignal: "QUIT",
			ExposedPorts: network.PortSet{network.MustParsePort("80/tcp"): {}}, Volumes: map[string]struct{}{"/data": {}, "/mine": {}},
			Healthcheck: &container.HealthConfig{Test: []string{"CMD", "x"}, Interval: time.Second}, AttachStdout: true,
		},
		HostConfig: &container.HostConfig{
			NetworkMode: "bridge", IpcMode: "private", CgroupnsMode: "private", ShmSize: shmDefault, Runtime: "runc",
			LogConfig: container.LogConfig{Type: "json-file"}, RestartPolicy: container.RestartPolicy{Name: "no"}, Links: []string{"/db:/web/store"},
			PortBindings: network.PortMap{network.MustParsePort("80/tcp"): {{HostPort: "8080"}}}, MaskedPaths: []string{"/proc/kcore"},
			Resources: container.Resources{Memory: 1 << 20, MemorySwap: 2 << 20},
		},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{"bridge": {IPAddress: netip.MustParseAddr("172.17.0.2")}}},
	}
	img := &dockerspec.DockerOCIImageConfig{
		ImageConfig: ocispec.ImageConfig{Env: []string{"PATH=/bin"}, Cmd: []string{"nginx"}, Entrypoint: []string{"/e"}, Labels: map[string]string{"image": "x"},
			WorkingDir: "/", StopSignal: "QUIT", ExposedPorts: map[string]struct{}{"80/tcp": {}}, Volumes: map[string]struct{}{"/data": {}}},
		DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{Healthcheck: &dockerspec.HealthcheckConfig{Test: []string{"CMD", "x"}, Interval: time.Second}},
	}
	was, _ := json.Marshal(in)
	line, rest, err := FormatRun(FromInspect(in, img))
	want := "berth run -d --name web -e MINE=1 --label mine=y -v /mine -p 8080:80 --link db:store --memory 1m nginx"
	if err != nil || line != want || len(rest) > 0 {
		t.Errorf("%s\n%s\nleft %+v, %v", line, want, rest, err)
	}
	if now, _ := json.Marshal(in); string(now) != string(was) {
		t.Errorf("the answer of inspect was changed: %s", now)
	}
}

func TestWhatNoFlagSaysIsNamed(t *testing.T) {
	req := &container.CreateRequest{
		Config:     &container.Config{Image: "img", Entrypoint: []string{"a", "b"}, Healthcheck: &container.HealthConfig{Test: []string{"CMD", "x", "y"}}},
		HostConfig: &container.HostConfig{SecurityOpt: []string{`seccomp={"defaultAction":"SCMP_ACT_ALLOW"}`}, Binds: []string{"./x:/y"}},
	}
	_, rest, err := FormatRun(Wanted{Create: req})
	var names []string
	for _, l := range rest {
		names = append(names, l.Text)
	}
	if want := []string{"Entrypoint", "Healthcheck", "HostConfig.Binds", "HostConfig.SecurityOpt"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("left %v, %v; want %v", names, err, want)
	}
}

// FuzzParseRun: a line is foreign bytes. None may panic, read this process's environment, or become a container that
// comes back as another without a word.
func FuzzParseRun(f *testing.F) {
	for _, l := range roundTrip() {
		f.Add(l)
	}
	f.Add("docker run -e A=${B:-`c`} -v ~root:/x <(a) {1..9} img")
	f.Fuzz(func(t *testing.T, line string) {
		l, err := ParseRun(line, Place{Home: "/home/kim", Dir: "/home/kim/site"})
		if err != nil {
			return
		}
		out, rest, err := FormatRun(Wanted{Name: l.Name, Platform: l.Platform, Create: &l.Create})
		if err != nil || len(rest) > 0 {
			return
		}
		back, err := ParseRun(out, Place{})
		if err != nil {
			t.Fatalf("%q became %q: %v", line, out, err)
		}
		want := plain(Wanted{Create: &l.Create})
		if !reflect.DeepEqual(missing(&want, &back.Create), []Left(nil)) {
			t.Fatalf("%q became %q, which is another container", line, out)
		}
	})
}
