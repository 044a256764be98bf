package fields

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/system"
	"golang.org/x/sys/unix"
)

// configured is an engine with a configuration file.
func configured(t *testing.T, conf object) *harness.World {
	t.Helper()
	w := harness.Empty(t, harness.StateDir(t))
	b, err := json.Marshal(conf)
	w.Must(err)
	name := filepath.Join(t.TempDir(), "engine.json")
	w.Must(os.WriteFile(name, b, 0o600))
	w.Args = []string{"--config-file", name}
	w.Registry = harness.NewRegistry(t, nil)
	w.Start()
	w.Take("bb", harness.Busybox(t))
	return w
}

// What the engine says of itself and the machine is the configuration's and the kernel's.
func TestSystemFields(t *testing.T) {
	w := configured(t, object{
		"labels": []string{"rack=3"}, "registry-mirrors": []string{"http://127.0.0.1:9/"}, "insecure-registries": []string{"old:5000", "192.0.2.0/24"},
		"default-address-pools": []object{{"base": "10.99.0.0/16", "size": 24}}, "proxies": object{"http-proxy": "http://p:1", "https-proxy": "http://p:2", "no-proxy": "x"},
	})
	w.Must(os.MkdirAll("/run/cdi", 0o755)) // this test's own /run
	w.Must(os.WriteFile("/run/cdi/vendor.json", []byte(`{"cdiVersion":"0.5.0","kind":"vendor.test/thing","devices":[{"name":"one","containerEdits":{"env":["THING=one"]}}],"containerEdits":{}}`), 0o600))
	defer os.RemoveAll("/run/cdi")
	var u unix.Utsname
	w.Must(unix.Uname(&u))
	kernel, machine := unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	host, err := os.Hostname()
	w.Must(err)
	w.Create(harness.Spec{Name: "made", Cmd: []string{"true"}})
	w.Run(harness.Spec{Name: "runs", Cmd: []string{"sleep", "1000"}})
	info := read[object](w, "/info")
	holds(w, "info", info, object{
		"KernelVersion": kernel, "Architecture": machine, "Name": host, "NCPU": runtime.NumCPU(), "OSType": "linux", "DockerRootDir": w.Layout.Root,
		"Labels": []string{"rack=3"}, "HttpProxy": "http://p:1", "HttpsProxy": "http://p:2", "NoProxy": "x", "CgroupVersion": "1", "CgroupDriver": "cgroupfs",
		"Containers": 2, "ContainersRunning": 1, "ContainersPaused": 0, "ContainersStopped": 1, "Images": 1, "Debug": false,
		"DiscoveredDevices":   []object{{"Source": "cdi", "ID": "vendor.test/thing=one"}},
		"DefaultAddressPools": []object{{"Base": "10.99.0.0/16", "Size": 24}},
		"RegistryConfig": object{"Mirrors": []string{"http://127.0.0.1:9/"}, "InsecureRegistryCIDRs": []string{"::1/128", "127.0.0.0/8", "192.0.2.0/24"}, "IndexConfigs": object{
			"docker.io": object{"Name": "docker.io", "Mirrors": []string{"http://127.0.0.1:9/"}, "Secure": true, "Official": true},
			"old:5000":  object{"Name": "old:5000", "Mirrors": []string{}, "Secure": false, "Official": false}}},
	})
	for _, line := range strings.Split(file(w, "/proc/meminfo"), "\n") {
		if f := strings.Fields(line); f[0] == "MemTotal:" {
			want(w, "MemTotal", info["MemTotal"], any(float64(number(w, f[1])<<10)))
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, info["SystemTime"].(string)); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("SystemTime %v, %v", info["SystemTime"], err)
	}
	first := read[object](w, "/networks/bridge")["IPAM"].(object)["Config"].([]any)[0]
	holds(w, "the first subnet of the pool", first, object{"Subnet": "10.99.0.0/24", "Gateway": "10.99.0.1"})

	v := read[system.VersionResponse](w, "/version")
	for what, pair := range map[string][2]string{
		"kernel": {v.KernelVersion, kernel}, "Os": {v.Os, "linux"}, "Arch": {v.Arch, runtime.GOARCH}, "platform": {v.Platform.Name, "berth"},
		"Version": {v.Version, info["ServerVersion"].(string)}, "GoVersion": {v.GoVersion, runtime.Version()},
		"component": {v.Components[0].Name, "Engine"}, "its version": {v.Components[0].Version, v.Version},
		"its API": {v.Components[0].Details["ApiVersion"], v.APIVersion}, "its commit": {v.Components[0].Details["GitCommit"], v.GitCommit},
	} {
		want(w, what, pair[0], pair[1])
	}
	if status, _ := w.Raw(http.MethodGet, "/v"+v.APIVersion+"/_ping", nil); status != http.StatusOK {
		t.Errorf("the newest version %s is not served", v.APIVersion)
	}
	if status, _ := w.Raw(http.MethodGet, "/v"+v.MinAPIVersion+"/info", nil); status != http.StatusOK {
		t.Errorf("the oldest version %s is not served", v.MinAPIVersion)
	}
	w.Part("disk usage", usage)
	w.Part("login", func(w *harness.World) {
		var out object
		w.Must(json.Unmarshal(ask(w, http.StatusOK, http.MethodPost, "/auth", object{"username": "u", "password": "p", "serveraddress": w.Registry.Addr}), &out))
		holds(w, "login", out, object{"Status": "Login Succeeded"})
	})
}

// usage adds up what the lists tell.
func usage(w *harness.World) {
	w.Take("idle", harness.Image(w.T, nil, nil, harness.Layer(w.T, harness.File{Name: "a", Body: make([]byte, 9000)})))
	w.Output(harness.Spec{Cmd: []string{"sh", "-c", "head -c 3000 /dev/zero > /v/f"}, Opts: binds("vol:/v")})
	w.Run(harness.Spec{Name: "writer", Cmd: []string{"sh", "-c", "head -c 50000 /dev/zero > /f; sleep 1000"}, Opts: binds("used:/v")})
	w.Eventually("it has written", func() bool { out, _ := w.Exec("writer", "stat", "-c", "%s", "/f"); return out == "50000\n" })
	df := read[system.DiskUsage](w, "/system/df?verbose=1")
	var total, idle, running int64
	for _, c := range read[[]container.Summary](w, "/containers/json?all=1&size=1") {
		total += c.SizeRw
		if c.State != container.StateRunning {
			idle += c.SizeRw
		} else {
			running++
		}
	}
	c := df.ContainerUsage
	want(w, "containers", []int64{c.TotalCount, c.ActiveCount, c.TotalSize, c.Reclaimable, int64(len(c.Items))}, []int64{3, running, total, idle, 3})
	i := df.ImageUsage
	want(w, "images", []int64{i.TotalCount, i.ActiveCount, int64(len(i.Items))}, []int64{2, 1, 2})
	var users, sum, busy int64
	for _, img := range i.Items {
		users, sum = users+img.Containers, sum+img.Size
		if img.Containers > 0 {
			busy += img.Size
		}
	}
	if users != 3 || i.TotalSize < sum*9/10 || i.Reclaimable != i.TotalSize-busy || i.Reclaimable <= 0 {
		w.Errorf("images: %+v, %d users, %d bytes, %d of them in use", i, users, sum, busy)
	}
	v := df.VolumeUsage
	want(w, "volumes", []int64{v.TotalCount, v.ActiveCount, v.TotalSize, v.Reclaimable, int64(len(v.Items))}, []int64{2, 1, 3000, 3000, 2})
	for _, d := range []object{read[object](w, "/system/df"), read[object](w, "/system/df?type=container&type=volume")} {
		if d["ContainerUsage"].(object)["Items"] != nil || d["VolumeUsage"].(object)["Items"] != nil {
			w.Errorf("items that were not asked for: %v", d)
		}
	}
	if only := read[object](w, "/system/df?type=volume"); only["ContainerUsage"] != nil || only["ImageUsage"] != nil || only["VolumeUsage"] == nil {
		w.Errorf("of volumes: %v", only)
	}
	ask(w, http.StatusBadRequest, http.MethodGet, "/system/df?type=x", nil)
}

// Events have the names and attributes of dockerd's, at the time when they happen.
func TestEventFields(t *testing.T) {
	w := harness.New(t)
	begun := time.Now()
	id, _ := create(w, "web", object{"Image": "bb", "Cmd": []string{"sh", "-c", "exit 3"}, "Labels": object{"k": "v"}}, object{"Binds": []string{"vol:/v"}})
	w.Begin(id)
	w.Wait(id)
	w.Tag("bb", "other:v1")
	ask(w, http.StatusOK, http.MethodDelete, "/images/other:v1", nil)
	ask(w, http.StatusCreated, http.MethodPost, "/networks/create", object{"Name": "net1"})
	net := read[object](w, "/networks/net1")["Id"].(string)
	bridge := read[object](w, "/networks/bridge")["Id"].(string)
	ask(w, http.StatusNoContent, http.MethodDelete, "/networks/net1", nil)
	w.Remove(id)
	ask(w, http.StatusNoContent, http.MethodDelete, "/volumes/vol", nil)
	end := time.Now()
	span := "since=" + stamp(begun) + "&until=" + stamp(end)
	image := read[object](w, "/images/bb/json")["Id"].(string)
	has := object{"image": "bb", "name": "web", "k": "v"}
	expected := map[string]object{
		"container create " + id: has, "container start " + id: has, "container die " + id: with(has, "exitCode", "3"), "container destroy " + id: has,
		"network connect " + bridge: {"container": id, "name": "bridge", "type": "bridge"}, "network disconnect " + bridge: {"container": id, "name": "bridge", "type": "bridge"},
		"network create " + net: {"name": "net1", "type": "bridge"}, "network destroy " + net: {"name": "net1", "type": "bridge"},
		"volume create vol": {"driver": "local"}, "volume mount vol": {"container": id, "destination": "/v", "driver": "local", "propagation": "", "read/write": "true"},
		"volume unmount vol": {"container": id, "driver": "local"}, "volume destroy vol": {"driver": "local"},
		"image tag " + image: {"name": "other:v1"}, "image untag " + image: {"name": image},
	}
	before := begun
	for dec := json.NewDecoder(strings.NewReader(string(ask(w, http.StatusOK, http.MethodGet, "/events?"+span, nil)))); dec.More(); {
		var m events.Message
		w.Must(dec.Decode(&m))
		at := time.Unix(0, m.TimeNano)
		if at.Before(before) || at.After(end) || m.Time != at.Unix() || m.Scope != "local" {
			t.Errorf("times or scope: %+v", m)
		}
		before = at
		key := string(m.Type) + " " + string(m.Action) + " " + m.Actor.ID
		if attrs, known := expected[key]; known {
			holds(w, key, m.Actor.Attributes, attrs)
			delete(expected, key)
		} else {
			t.Logf("besides: %s %v", key, m.Actor.Attributes)
		}
	}
	for key := range expected {
		t.Errorf("no event %q", key)
	}
	if only := string(ask(w, http.StatusOK, http.MethodGet, "/events?"+span+"&"+filters("type", "container", "event", "die"), nil)); strings.Count(only, "\n") != 1 || !strings.Contains(only, `"exitCode":"3"`) {
		t.Errorf("filtered: %q", only)
	}
}

// stamp is a time as docker's clients send it.
func stamp(t time.Time) string {
	return strconv.FormatInt(t.Unix(), 10) + "." + strconv.Itoa(1e9 + t.Nanosecond())[1:]
}
