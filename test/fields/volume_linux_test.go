package fields

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/volume"
)

// A volume is what was asked for, and its directory holds what was written.
func TestVolumeFields(t *testing.T) {
	w := harness.New(t)
	begun := time.Now().Truncate(time.Second)
	asked := object{"Name": "mem", "Driver": "local", "DriverOpts": object{"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, "Labels": object{"k": "v"}}
	var made object
	w.Must(json.Unmarshal(ask(w, http.StatusCreated, http.MethodPost, "/volumes/create", asked), &made))
	dir := filepath.Join(w.Layout.Root, "volumes", "mem", "_data")
	is := object{"Name": "mem", "Driver": "local", "Scope": "local", "Mountpoint": dir, "Options": asked["DriverOpts"], "Labels": asked["Labels"]}
	holds(w, "made", made, is)
	created, err := time.Parse(time.RFC3339, made["CreatedAt"].(string))
	if err != nil || created.Before(begun) || created.After(time.Now()) {
		t.Errorf("created %v, %v", made["CreatedAt"], err)
	}
	want(w, "inspect", read[object](w, "/volumes/mem"), made)
	ask(w, http.StatusCreated, http.MethodPost, "/volumes/create", object{"Name": "plain"})
	holds(w, "plain", read[object](w, "/volumes/plain"), object{"Labels": nil, "Options": nil})
	listed := read[object](w, "/volumes")
	want(w, "list", listed["Volumes"], any([]any{any(made), any(read[object](w, "/volumes/plain"))}))
	if v, has := listed["Warnings"]; v != nil || !has {
		t.Errorf("warnings %v", v)
	}
	out := w.Output(harness.Spec{Cmd: []string{"sh", "-c", "df -k /m | tail -1; head -c 5000 /dev/zero > /p/f"}, Opts: binds("mem:/m", "plain:/p")})
	if f := strings.Fields(out); len(f) < 2 || f[1] != "1024" {
		t.Errorf("the volume in memory: %q", out)
	}
	fi, err := os.Stat(filepath.Join(w.Layout.Root, "volumes", "plain", "_data", "f"))
	if err != nil || fi.Size() != 5000 {
		t.Errorf("the file: %v, %v", fi, err)
	}
	w.Part("filters", volumeFilters)
	w.Part("usage", func(w *harness.World) {
		w.Create(harness.Spec{Name: "user", Cmd: []string{"true"}, Opts: binds("plain:/p")})
		for _, v := range read[object](w, "/system/df?type=volume&verbose=1")["VolumeUsage"].(object)["Items"].([]any) {
			if v := v.(object); v["Name"] == "plain" {
				holds(w, "usage", v, object{"UsageData": object{"Size": 5000, "RefCount": 1}})
			}
		}
		w.Remove("user")
	})
	w.Part("prune", func(w *harness.World) {
		report := read0[volume.PruneReport](w, http.MethodPost, "/volumes/prune?"+filters("all", "true", "label!", "k=v"))
		want(w, "pruned", report, volume.PruneReport{VolumesDeleted: []string{"plain"}, SpaceReclaimed: 5000})
		if _, err := os.Stat(filepath.Join(w.Layout.Root, "volumes", "plain")); !os.IsNotExist(err) {
			w.Errorf("its directory: %v", err)
		}
		ask(w, http.StatusNoContent, http.MethodDelete, "/volumes/mem?force=1", nil)
		ask(w, http.StatusNoContent, http.MethodDelete, "/volumes/mem?force=1", nil)
		ask(w, http.StatusNotFound, http.MethodDelete, "/volumes/mem", nil)
	})
}

func volumeFilters(w *harness.World) {
	for query, is := range map[string]string{
		filters("name", "ple|lai"): "plain", filters("label", "k"): "mem", filters("label", "k=x"): "", filters("driver", "local"): "mem plain", filters("driver", "x"): "",
		filters("dangling", "true"): "mem plain", filters("dangling", "false"): "",
	} {
		var names []string
		for _, v := range read[volume.ListResponse](w, "/volumes?"+query).Volumes {
			names = append(names, v.Name)
		}
		want(w, "/volumes?"+query, strings.Join(names, " "), is)
	}
}
