package fields

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// filters is the query of filters for a list.
func filters(kv ...string) string {
	f := map[string]map[string]bool{}
	for i := 0; i < len(kv); i += 2 {
		if f[kv[i]] == nil {
			f[kv[i]] = map[string]bool{}
		}
		f[kv[i]][kv[i+1]] = true
	}
	b, _ := json.Marshal(f)
	return "filters=" + url.QueryEscape(string(b))
}

// names gives the first name of each of a list.
func names(w *harness.World, query string) string {
	w.Helper()
	var out []string
	for _, c := range read[[]container.Summary](w, "/containers/json?"+query) {
		out = append(out, strings.TrimPrefix(c.Names[0], "/"))
	}
	return strings.Join(out, " ")
}

// A list tells of each container what its inspection does.
func TestContainerList(t *testing.T) {
	w := harness.New(t)
	ended := w.Run(harness.Spec{Name: "ended", Cmd: []string{"sh", "-c", "dd if=/dev/zero of=/big bs=1000 count=70 2>/dev/null; exit 3"}})
	w.Wait(ended)
	id, _ := create(w, "busy", object{"Image": "bb", "Cmd": []string{"sh", "-c", "sleep 1000"}, "Labels": object{"k": "v"},
		"ExposedPorts": object{"81/tcp": object{}, "82/udp": object{}}, "Healthcheck": object{"Test": []string{"CMD", "true"}, "Interval": 1e7, "Retries": 1}},
		object{"Annotations": object{"note": "kept"}, "Binds": []string{"vol:/v:ro", "/usr:/u"},
			"PortBindings": object{"81/tcp": []object{{"HostIp": "127.0.0.1", "HostPort": "8181"}}}})
	w.Begin(id)
	other := w.Create(harness.Spec{Name: "other", Cmd: []string{"true"}})
	w.Eventually("it is healthy", func() bool { return w.Inspect(id).State.Health.Status == container.Healthy })

	list := read[[]object](w, "/containers/json?size=1")
	want(w, "how many run", len(list), 1)
	in := read[object](w, "/containers/"+id+"/json?size=1")
	state, conf, host, net := in["State"].(object), in["Config"].(object), in["HostConfig"].(object), in["NetworkSettings"].(object)
	created, err := time.Parse(time.RFC3339Nano, in["Created"].(string))
	w.Must(err)
	holds(w, "list", list[0], object{
		"Id": id, "Names": []string{"/busy"}, "Image": "bb", "ImageID": in["Image"], "Command": "sh -c 'sleep 1000'", "Created": created.Unix(),
		"Labels": conf["Labels"], "State": state["Status"], "Mounts": in["Mounts"], "SizeRw": in["SizeRw"], "SizeRootFs": in["SizeRootFs"],
		"Ports":  []object{{"IP": "127.0.0.1", "PrivatePort": 81, "PublicPort": 8181, "Type": "tcp"}, {"PrivatePort": 82, "Type": "udp"}},
		"Health": object{"Status": "healthy", "FailingStreak": 0}, "HostConfig": object{"NetworkMode": host["NetworkMode"], "Annotations": object{"note": "kept"}},
		"ImageManifestDescriptor": in["ImageManifestDescriptor"],
	})
	if s := list[0]["Status"].(string); !strings.HasPrefix(s, "Up ") || !strings.HasSuffix(s, " (healthy)") {
		t.Errorf("status %q", s)
	}
	ep := net["Networks"].(object)["bridge"].(object)
	for _, hidden := range []string{"Aliases", "DNSNames", "DriverOpts", "Links"} {
		ep[hidden] = nil
	}
	want(w, "networks", list[0]["NetworkSettings"], any(object{"Networks": object{"bridge": ep}}))
	holds(w, "mounts", in["Mounts"], []object{
		{"Type": "bind", "Source": "/usr", "Destination": "/u", "Mode": "", "RW": true, "Propagation": "rprivate"},
		{"Type": "volume", "Name": "vol", "Source": w.Layout.Root + "/volumes/vol/_data", "Destination": "/v", "Driver": "local", "Mode": "ro", "RW": false, "Propagation": ""}})
	w.Part("sizes", func(w *harness.World) { sizes(w, ended) })
	w.Part("parameters", func(w *harness.World) { listParameters(w, id, ended, other) })
	w.Part("older clients", func(w *harness.World) { olderClients(w, id) })
}

// sizes are those of the writable layer, and with the image's layers.
func sizes(w *harness.World, id string) {
	in := read[container.InspectResponse](w, "/containers/"+id+"/json?size=true")
	if in.SizeRw == nil || *in.SizeRw < 70000 || *in.SizeRw > 120000 {
		w.Errorf("70000 bytes were written: SizeRw %v", *in.SizeRw)
	}
	if img := read[object](w, "/images/bb/json")["Size"].(float64); in.SizeRootFs == nil || *in.SizeRootFs-*in.SizeRw < int64(img)/2 {
		w.Errorf("SizeRootFs %v of an image of %v", *in.SizeRootFs, img)
	}
	without := read[object](w, "/containers/"+id+"/json")
	if without["SizeRw"] != nil || without["SizeRootFs"] != nil {
		w.Error("sizes that were not asked for")
	}
	for _, c := range read[[]container.Summary](w, "/containers/json?all=1&size=1&"+filters("id", id)) {
		want(w, "SizeRw of the list", c.SizeRw, *in.SizeRw)
		want(w, "SizeRootFs of the list", c.SizeRootFs, *in.SizeRootFs)
	}
	changes := read[[]object](w, "/containers/"+id+"/changes")
	holds(w, "changes", changes, []object{{"Path": "/big", "Kind": 1}})
}

func listParameters(w *harness.World, id, ended, other string) {
	for query, is := range map[string]string{
		"": "busy", "all=1": "other busy ended", "all=true&limit=2": "other busy", "limit=1": "other", "limit=-1": "busy",
		"all=1&" + filters("id", ended[:12]): "ended", "all=1&" + filters("name", "^/?bu"): "busy", filters("label", "k=v"): "busy", filters("label", "k=w"): "",
		filters("status", "exited"): "ended", filters("status", "created", "status", "running"): "other busy", "all=1&" + filters("ancestor", "bb"): "other busy ended",
		"all=1&" + filters("before", "busy"): "ended", "all=1&" + filters("since", id): "other", filters("volume", "vol"): "busy", filters("volume", "/u"): "busy",
		filters("network", "bridge"): "busy", filters("publish", "8181"): "busy", filters("publish", "81"): "", filters("publish", "82/udp"): "", filters("expose", "82/udp"): "busy",
		"all=1&" + filters("exited", "3"): "ended", "all=1&" + filters("exited", "4"): "", filters("health", "healthy"): "busy", filters("is-task", "true"): "",
	} {
		if got := names(w, query); got != is {
			w.Errorf("%s: %q, not %q", query, got, is)
		}
	}
}

// Fields that came or went with a version.
func olderClients(w *harness.World, id string) {
	old := read[object](w, "/v1.51/containers/"+id+"/json")
	holds(w, "1.51", old["GraphDriver"], object{"Name": "overlayfs", "Data": nil})
	if now := read[object](w, "/containers/"+id+"/json"); now["GraphDriver"] != nil {
		w.Errorf("GraphDriver of the newest version: %v", now["GraphDriver"])
	}
	if list := read[[]object](w, "/v1.45/containers/json"); list[0]["HostConfig"].(object)["Annotations"] != nil {
		w.Error("1.45 lists annotations")
	}
}

// A device that no driver gives and a storage option that the snapshotter lacks are kept as asked.
func TestSettingsThatCannotRun(t *testing.T) {
	w := harness.New(t)
	asked := object{
		"DeviceRequests": []object{{"Driver": "none", "Count": 2, "DeviceIDs": []string{}, "Capabilities": [][]string{{"gpu", "x"}}, "Options": object{"o": "1"}},
			{"Driver": "", "Count": 0, "DeviceIDs": []string{"0"}, "Capabilities": [][]string{{"y"}}, "Options": object{}}},
		"StorageOpt": object{"size": "1G"},
	}
	weights := []object{{"Path": disk(w), "Weight": 300}}
	id, warnings := create(w, "odd", object{"Image": "bb", "Cmd": []string{"true"}, "NetworkDisabled": true}, with(asked, "BlkioWeightDevice", weights))
	if _, err := os.Stat("/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device"); err == nil { // without the old scheduler's files, in cgroup v1
		want(w, "the first warning", warnings[0], "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.")
		warnings, asked = warnings[1:], with(asked, "BlkioWeightDevice", []object{})
	}
	want(w, "warnings", warnings, []string{"The storage driver of this engine has no option size. It has no effect."})
	got := read[object](w, "/containers/"+id+"/json")
	holds(w, "HostConfig", got["HostConfig"], asked)
	want(w, "NetworkDisabled", got["Config"].(object)["NetworkDisabled"], any(true))
	err := w.TryStart(id)
	if err == nil || !strings.Contains(err.Error(), `could not select device driver "none" with capabilities: [[gpu x]]`) {
		t.Errorf("start: %v", err)
	}
	res := read0[container.WaitResponse](w, http.MethodPost, "/containers/odd/wait")
	if s := w.Inspect(id).State; res.Error == nil || res.Error.Message != s.Error || s.Error == "" || res.StatusCode != int64(s.ExitCode) {
		t.Errorf("wait: %+v, of %+v", res, s)
	}
	alone, _ := create(w, "alone", object{"Image": "bb", "Cmd": []string{"ip", "-o", "link"}, "NetworkDisabled": true}, nil)
	w.Begin(alone)
	w.Wait(alone)
	if out, _ := w.Logs(alone); strings.Contains(out, "eth0") || !strings.Contains(out, "lo:") {
		t.Errorf("without a network: %q", out)
	}
}

// with is an object with one more field.
func with(o object, key string, value any) object {
	out := object{key: value}
	for k, v := range o {
		out[k] = v
	}
	return out
}

// read0 asks with a method of one's own, and reads the answer.
func read0[T any](w *harness.World, method, path string) (out T) {
	w.Helper()
	w.Must(json.Unmarshal(ask(w, http.StatusOK, method, path, nil), &out))
	return out
}

// An update changes what it can, tells so, and heeds nothing else, as dockerd's.
func TestUpdate(t *testing.T) {
	w := harness.New(t)
	dev := disk(w)
	id, _ := create(w, "xx", object{"Image": "bb", "Cmd": []string{"sleep", "1000"}}, object{"Memory": 64 << 20, "CpuShares": 100})
	w.Begin(id)
	before := read[object](w, "/containers/xx/json")["HostConfig"].(object)
	rate := []object{{"Path": dev, "Rate": 1000}}
	ignored := object{
		"BlkioDeviceReadBps": rate, "BlkioDeviceReadIOps": rate, "BlkioDeviceWriteBps": rate, "BlkioDeviceWriteIOps": rate,
		"BlkioWeightDevice": []object{{"Path": dev, "Weight": 300}}, "DeviceCgroupRules": []string{"c 1:* r"}, "OomKillDisable": true, "MemorySwappiness": 5, "Init": true,
		"Devices":        []object{{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/z", "CgroupPermissions": "r"}},
		"DeviceRequests": []object{{"Driver": "none", "Count": 1, "DeviceIDs": []string{"a"}, "Capabilities": [][]string{{"gpu"}}, "Options": object{"o": "1"}}},
		"Ulimits":        []object{{"Name": "nofile", "Soft": 1, "Hard": 2}},
	}
	heeded := object{
		"CpuShares": 200, "CpuPeriod": 20000, "CpuQuota": 10000, "CpusetCpus": "0", "CpusetMems": "0", "Memory": 80 << 20, "MemorySwap": 160 << 20,
		"MemoryReservation": 40 << 20, "PidsLimit": 44, "RestartPolicy": object{"Name": "always", "MaximumRetryCount": 0},
	}
	body := object{}
	for _, m := range []object{ignored, heeded} {
		for k, v := range m {
			body[k] = v
		}
	}
	var out container.UpdateResponse
	w.Must(json.Unmarshal(ask(w, http.StatusOK, http.MethodPost, "/containers/xx/update", body), &out))
	want(w, "warnings", out.Warnings, []string(nil))
	after := read[object](w, "/containers/xx/json")["HostConfig"]
	holds(w, "HostConfig", after, heeded)
	for k := range ignored {
		holds(w, "HostConfig", after, object{k: before[k]})
	}
	pid := w.Inspect(id).State.Pid
	for _, f := range []struct{ controller, file, want string }{
		{"memory", "memory.limit_in_bytes", "83886080"}, {"memory", "memory.soft_limit_in_bytes", "41943040"}, {"memory", "memory.memsw.limit_in_bytes", "167772160"},
		{"cpu", "cpu.shares", "200"}, {"cpu", "cpu.cfs_period_us", "20000"}, {"cpu", "cpu.cfs_quota_us", "10000"},
		{"cpuset", "cpuset.cpus", "0"}, {"cpuset", "cpuset.mems", "0"}, {"pids", "pids.max", "44"}, {"blkio", "blkio.throttle.read_bps_device", ""},
	} {
		want(w, f.file, file(w, cgroup(w, pid, f.controller), f.file), f.want)
	}
	_, err := w.API.ContainerUpdate(w.Ctx(), id, client.ContainerUpdateOptions{RestartPolicy: &container.RestartPolicy{Name: "no"}})
	w.Must(err)
}

// The columns of top are those of ps.
func TestTop(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(c *container.Config, _ *container.HostConfig) { c.User = "65534" }})
	pid := w.Inspect(id).State.Pid
	top := read[container.TopResponse](w, "/containers/"+id+"/top")
	want(w, "titles", strings.Join(top.Titles, " "), "UID PID PPID C STIME TTY TIME CMD")
	if len(top.Processes) != 1 || top.Processes[0][1] != status(w, pid, "Pid") || top.Processes[0][7] != "sleep 1000" {
		t.Errorf("processes %q of %d", top.Processes, pid)
	}
	other := read[container.TopResponse](w, "/containers/"+id+"/top?ps_args="+url.QueryEscape("-o pid,uid,comm"))
	if len(other.Processes) != 1 || strings.Join(other.Titles, " ") != "PID UID COMMAND" || strings.Join(other.Processes[0], " ") != status(w, pid, "Pid")+" 65534 sleep" {
		t.Errorf("with arguments: %+v", other)
	}
}

// A restart sends the signal that it is told, and waits as long.
func TestParametersOfVerbs(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Name: "xx", Cmd: []string{"sh", "-c", "trap 'echo usr2' USR2; trap 'echo term' TERM; echo up; while :; do usleep 10000; done"}})
	w.Eventually("its traps are set", func() bool { out, _ := w.Logs(id); return out == "up\n" })
	ask(w, http.StatusNoContent, http.MethodPost, "/containers/xx/restart?signal=SIGUSR2&t=1", nil)
	w.Eventually("it is up again", func() bool { out, _ := w.Logs(id); return strings.Count(out, "up\n") == 2 })
	if out, _ := w.Logs(id); out != "up\nusr2\nup\n" {
		t.Errorf("what it heard: %q", out)
	}
	var got strings.Builder
	for query, is := range map[string]string{"logs=1&stdout=1": "up\nusr2\nup\n", "logs=1&stderr=1": "", "stream=0&stdout=1": ""} {
		got.Reset()
		resp := ask(w, http.StatusOK, http.MethodPost, "/containers/xx/attach?"+query, nil)
		out, errs := w.Split(strings.NewReader(string(resp)))
		want(w, "attach?"+query, out+errs, is)
	}
	target := w.Create(harness.Spec{Name: "target", Cmd: []string{"true"}})
	linked := w.Create(harness.Spec{Name: "linked", Cmd: []string{"true"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Links = []string{"target:alias"} }})
	want(w, "links", w.Inspect(linked).HostConfig.Links, []string{"/target:/linked/alias"})
	ask(w, http.StatusNoContent, http.MethodDelete, "/containers/linked/alias?link=1", nil)
	want(w, "links after one was removed", w.Inspect(linked).HostConfig.Links, []string(nil))
	want(w, "the target", w.Inspect(target).Name, "/target")
}

// A websocket attaches as a hijacked connection does.
func TestWebsocket(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Name: "xx", Cmd: []string{"sh", "-c", "echo early; while read l; do echo got $l; done"}, Conf: func(c *container.Config, _ *container.HostConfig) {
		c.OpenStdin, c.Tty = true, true
	}})
	w.Eventually("the first line is in the log", func() bool { out, _ := w.Logs(id); return strings.Contains(out, "early") })
	ws := dialWebsocket(w, "/containers/xx/attach/ws?logs=1&stream=1&stdin=1&stdout=1&stderr=1&detachKeys=ctrl-e,d")
	defer ws.Close()
	if got := until(w, ws, "early"); !strings.HasPrefix(got, "early") {
		t.Errorf("the log: %q", got)
	}
	_, err := io.WriteString(ws, "one\n")
	w.Must(err)
	until(w, ws, "got one")
	_, err = io.WriteString(ws, "\x05d")
	w.Must(err)
	rest, err := io.ReadAll(ws)
	if err != nil || strings.Contains(string(rest), "got") {
		t.Errorf("after the keys to detach: %q, %v", rest, err)
	}
	if !w.Inspect(id).State.Running {
		t.Error("it ended with the client")
	}
	ws = dialWebsocket(w, "/containers/xx/attach/ws?logs=1&stdout=1")
	defer ws.Close()
	if all, err := io.ReadAll(ws); err != nil || !strings.Contains(string(all), "got one") {
		t.Errorf("the log without a stream: %q, %v", all, err)
	}
}

// until reads up to a text.
func until(w *harness.World, r io.Reader, text string) string {
	w.Helper()
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), text); got = append(got, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			w.Fatalf("before %q there was %q: %v", text, got, err)
		}
	}
	return string(got)
}
