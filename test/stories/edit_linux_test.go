package stories

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/editapi"
	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// editor is a container that says what it is made of, keeps a file of its own, and ends at once where BAD is set.
func editor(name string) harness.Spec {
	return harness.Spec{Name: name, Cmd: []string{"sh", "-c", `trap 'exit 0' TERM; [ -z "$BAD" ] || exit 3; echo "A=$A"; echo run >> /runs; while :; do usleep 20000; done`},
		Conf: func(c *container.Config, _ *container.HostConfig) {
			c.Env = []string{"A=1"}
			c.Volumes = map[string]struct{}{"/data": {}}
		}}
}

func edit(w *harness.World, ref string, c editapi.Change) (int, string) {
	w.Helper()
	body, err := json.Marshal(c)
	w.Must(err)
	return w.Raw("POST", "/berth/containers/"+ref+"/edit", strings.NewReader(string(body)))
}

// endpoint are the addresses that others know a container by.
func endpoint(in container.InspectResponse) string {
	e := in.NetworkSettings.Networks["bridge"]
	return e.IPAddress.String() + " " + e.MacAddress.String()
}

func TestEdit(t *testing.T) {
	w := harness.New(t)
	w.Run(harness.Spec{Name: "first", Cmd: untilTerm()}) // so that the lowest address is not the container's
	id := w.Run(editor("web"))
	w.Eventually("it ran", func() bool { out, _ := w.Logs(id); return out == "A=1\n" })
	w.Exec(id, "sh", "-c", "echo kept > /data/file; echo kept > /file")
	w.Remove("first")
	before := w.Inspect(id)
	dir := t.TempDir()
	status, text := edit(w, "web", editapi.Change{
		EnvSet: []string{"A=2"}, VolumeAdd: []string{dir + ":/host"}, Name: "www", Wait: 2,
		PublishAdd: network.PortMap{network.MustParsePort("80/tcp"): {{HostPort: "18081"}}},
	})
	if status != http.StatusOK {
		t.Fatalf("edit: %d %s", status, text)
	}
	after := w.Inspect("www")
	if after.ID != before.ID || !after.State.Running || endpoint(after) != endpoint(before) {
		t.Errorf("the successor has %s, not %s", endpoint(after), endpoint(before))
	}
	if b := after.NetworkSettings.Ports[network.MustParsePort("80/tcp")]; len(b) == 0 || b[0].HostPort != "18081" {
		t.Errorf("published: %v", after.NetworkSettings.Ports)
	}
	if out, _ := w.Exec("www", "sh", "-c", `cat /data/file /file /runs; echo $A; touch /host/made`); out != "kept\nkept\nrun\nrun\n2\n" {
		t.Errorf("what the successor has: %q", out)
	}
	if made, _ := filepath.Glob(dir + "/made"); len(made) != 1 {
		t.Error("the added folder is not the host's")
	}

	status, text = edit(w, "www", editapi.Change{EnvSet: []string{"BAD=1"}, Wait: 5})
	if status != http.StatusConflict || !strings.Contains(text, "runs as before") {
		t.Errorf("an edit that cannot run: %d %s", status, text)
	}
	back := w.Inspect("www")
	if !back.State.Running || strings.Contains(strings.Join(back.Config.Env, " "), "BAD") || endpoint(back) != endpoint(before) {
		t.Errorf("after going back: %+v, %v, %s", back.State, back.Config.Env, endpoint(back))
	}
	if status, text = edit(w, "www", editapi.Change{PublishRemove: []string{"18081"}, VolumeRemove: []string{"/host"}, Wait: 1}); status != http.StatusOK {
		t.Errorf("taking away: %d %s", status, text)
	}
	w.Remove("www")
}

// The engine is killed at moments all over an edit: the container runs as it was or as it was to be.
func TestEditOutlivesItsEngine(t *testing.T) {
	w := harness.New(t)
	id := w.Run(editor("web"))
	for i, after := range []time.Duration{0, 5, 20, 40, 80, 160, 400, 1500} {
		value := "A=" + strings.Repeat("x", i+2)
		was := w.Inspect(id)
		var done sync.WaitGroup
		done.Go(func() {
			body, _ := json.Marshal(editapi.Change{EnvSet: []string{value}, Wait: 1})
			tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", w.Layout.Socket())
			}}
			hc := http.Client{Transport: tr, Timeout: time.Minute}
			if resp, err := hc.Post("http://engine/berth/containers/web/edit", "application/json", bytes.NewReader(body)); err == nil {
				resp.Body.Close() // most of them die with the engine
			}
		})
		time.Sleep(after * time.Millisecond)
		w.Signal(unix.SIGKILL)
		w.Ended(time.Minute)
		done.Wait()
		w.Start()
		var env string
		w.Eventually("the container runs as its record says", func() bool {
			env = strings.Join(w.Inspect(id).Config.Env, " ")
			out, code, err := w.TryExec(id, client.ExecCreateOptions{Cmd: []string{"sh", "-c", "tr '\\0' '\\n' < /proc/1/environ | grep ^A="}, AttachStdout: true})
			return err == nil && code == 0 && strings.Contains(" "+env+" ", " "+strings.TrimSpace(out)+" ")
		})
		if !strings.Contains(env, value) && env != strings.Join(was.Config.Env, " ") {
			t.Errorf("killed after %d ms: neither old nor new: %s", after, env)
		}
	}
	w.Remove(id)
}
