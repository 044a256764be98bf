package fields

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/moby/api/types/registry"
)

// made is when the images of these tests were made, as they say.
var made = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// rich is an image with everything that a configuration can have.
func rich(t *testing.T) v1.Image {
	t.Helper()
	img := harness.Image(t, nil, nil, harness.Layer(t, harness.File{Name: "a", Body: make([]byte, 20000)}), harness.Layer(t, harness.File{Name: "b", Body: make([]byte, 50000)}))
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.Author, c.Created, c.OS, c.Architecture, c.OSVersion, c.Variant = "An Author", v1.Time{Time: made}, "linux", runtime.GOARCH, "1.2", ""
	c.Config = v1.Config{
		Cmd: []string{"c"}, Entrypoint: []string{"e"}, Env: []string{"A=b"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}, Labels: map[string]string{"k": "v"},
		OnBuild: []string{"RUN x"}, Shell: []string{"/bin/sh", "-e"}, StopSignal: "SIGINT", User: "1:2", Volumes: map[string]struct{}{"/v": {}}, WorkingDir: "/w", ArgsEscaped: true,
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "x"}, Interval: 1e9, Timeout: 2e9, StartPeriod: 3e9, Retries: 5},
	}
	c.History = []v1.History{
		{Created: v1.Time{Time: made.Add(-2 * time.Hour)}, CreatedBy: "first", Comment: "one"},
		{Created: v1.Time{Time: made.Add(-time.Hour)}, CreatedBy: "nothing", EmptyLayer: true},
		{Created: v1.Time{Time: made}, CreatedBy: "second", Comment: "two"},
	}
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

// An inspection and a history are the image's configuration and manifest.
func TestImageFields(t *testing.T) {
	w := harness.New(t)
	img := rich(t)
	ref := w.Registry.Push(t, "team/rich:v1", img)
	w.Must(w.Pull(ref))
	w.Tag(ref, "rich")
	digest, err := img.Digest()
	w.Must(err)
	size, err := img.Size()
	w.Must(err)
	c, err := img.ConfigFile()
	w.Must(err)
	mt, err := img.MediaType()
	w.Must(err)
	in := read[object](w, "/images/rich/json")
	holds(w, "inspect", in, object{
		"Id": digest.String(), "RepoTags": []string{ref, "rich:latest"}, "RepoDigests": []string{strings.TrimSuffix(ref, ":v1") + "@" + digest.String(), "rich@" + digest.String()},
		"Author": "An Author", "Comment": "two", "Created": made.Format(time.RFC3339Nano), "Os": "linux", "Architecture": runtime.GOARCH, "OsVersion": "1.2",
		"RootFS": object{"Type": "layers", "Layers": c.RootFS.DiffIDs}, "Descriptor": object{"digest": digest, "size": size, "mediaType": mt},
	})
	conf := plain(w, c.Config).(object)
	conf["ArgsEscaped"] = in["Config"].(object)["ArgsEscaped"]
	holds(w, "Config", in["Config"], conf)
	holds(w, "Healthcheck", in["Config"], object{"Healthcheck": object{"Test": []string{"CMD", "x"}, "Interval": 1e9, "Timeout": 2e9, "StartPeriod": 3e9, "Retries": 5}})
	w.Part("history", func(w *harness.World) {
		list := read[[]object](w, "/images/rich/history")
		holds(w, "history", list, []object{
			{"Id": digest, "Tags": in["RepoTags"], "CreatedBy": "second", "Comment": "two", "Created": made.Unix()},
			{"Id": "<missing>", "Tags": nil, "CreatedBy": "nothing", "Comment": "", "Size": 0, "Created": made.Unix() - 3600},
			{"Id": "<missing>", "Tags": nil, "CreatedBy": "first", "Comment": "one", "Created": made.Unix() - 7200},
		})
		for i, least := range map[int]float64{0: 50000, 2: 20000} {
			if got := list[i]["Size"].(float64); got < least || got > least+20000 {
				w.Errorf("size of step %d: %v of %v", i, got, least)
			}
		}
	})
	w.Part("list", func(w *harness.World) {
		list := read[[]object](w, "/images/json?digests=1&"+filters("reference", "rich"))
		if len(list) != 1 {
			w.Fatalf("list: %v", list)
		}
		holds(w, "list", list[0], object{"Id": digest, "Created": made.Unix(), "Labels": object{"k": "v"}, "Size": in["Size"], "RepoTags": []string{"rich:latest"}})
		for query, n := range map[string]int{filters("label", "k=v"): 1, filters("label", "k=w"): 0, filters("dangling", "true"): 0, filters("before", "rich"): 1, filters("since", "bb"): 1} {
			if got := read[[]object](w, "/images/json?"+query); len(got) != n {
				w.Errorf("%s: %d images, not %d", query, len(got), n)
			}
		}
	})
	w.Part("of the registry", func(w *harness.World) {
		out := read[registry.DistributionInspect](w, "/distribution/"+ref+"/json")
		holds(w, "distribution", out, object{"Descriptor": object{"digest": digest, "size": size, "mediaType": mt}, "Platforms": []object{{"os": "linux", "architecture": runtime.GOARCH, "os.version": "1.2"}}})
	})
	w.Part("prune", func(w *harness.World) {
		out := read0[object](w, http.MethodPost, "/images/prune?"+filters("dangling", "false", "label", "k=v"))
		var untagged, deleted []string
		for _, d := range out["ImagesDeleted"].([]any) {
			if s, ok := d.(object)["Untagged"].(string); ok {
				untagged = append(untagged, s)
			}
			if s, ok := d.(object)["Deleted"].(string); ok {
				deleted = append(deleted, s)
			}
		}
		if len(untagged) != 2 || !contains(untagged, "rich:latest") || !contains(deleted, digest.String()) || out["SpaceReclaimed"].(float64) <= 0 {
			w.Errorf("pruned %v", out)
		}
	})
}

// An image of several platforms lists each of its manifests.
func TestImageManifests(t *testing.T) {
	w := harness.New(t)
	img := rich(t)
	att, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "unknown", Architecture: "unknown"})
	w.Must(err)
	digest, err := img.Digest()
	w.Must(err)
	own := v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH, OSVersion: "1.2"}, Annotations: map[string]string{"note": "kept"}, Data: []byte("inline")}
	arm, err := mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: "arm", Variant: "v7", RootFS: v1.RootFS{Type: "layers"}})
	w.Must(err)
	strange := v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7", OSFeatures: []string{"feature"}}, URLs: []string{"http://127.0.0.1:9/elsewhere"}}
	idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: own}, mutate.IndexAddendum{Add: att, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}, Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String()}}},
		mutate.IndexAddendum{Add: arm, Descriptor: strange})
	idx = mutate.IndexMediaType(idx, types.OCIImageIndex)
	ref, err := name.ParseReference(w.Registry.Addr+"/team/many:v1", name.Insecure)
	w.Must(err)
	w.Must(remote.WriteIndex(ref, idx))
	w.Must(w.Pull(ref.Name()))
	of, err := idx.Digest()
	w.Must(err)
	id, _ := create(w, "user", object{"Image": ref.Name(), "Cmd": []string{"x"}}, nil)
	in := read[object](w, "/images/"+ref.Name()+"/json?manifests=1")
	holds(w, "inspect", in, object{"Id": of, "Descriptor": object{"digest": of}})
	listed := read[[]object](w, "/images/json?manifests=1&"+filters("reference", ref.Name()))
	for what, list := range map[string]any{"inspect": in["Manifests"], "list": listed[0]["Manifests"]} {
		ms, ok := list.([]any)
		if !ok || len(ms) != 3 {
			t.Fatalf("%s: manifests %v", what, list)
		}
		holds(w, what, ms[0], object{"ID": digest, "Kind": "image", "Available": true, "Descriptor": object{"digest": digest, "annotations": object{"note": "kept"},
			"data": own.Data, "platform": object{"os": "linux", "architecture": runtime.GOARCH, "os.version": "1.2"}},
			"ImageData": object{"Containers": []string{id}, "Platform": object{"os": "linux", "architecture": runtime.GOARCH}}})
		holds(w, what, ms[1], object{"Kind": "attestation", "AttestationData": object{"For": digest}})
		other := object{"os": "linux", "architecture": "arm", "variant": "v7", "os.features": []string{"feature"}}
		holds(w, what, ms[2], object{"Kind": "image", "Available": false, "Descriptor": object{"platform": other, "urls": strange.URLs}, "ImageData": object{"Platform": other}})
		data, sizes := ms[0].(object)["ImageData"].(object)["Size"].(object), ms[0].(object)["Size"].(object)
		if data["Unpacked"].(float64) < 70000 || sizes["Total"].(float64) != sizes["Content"].(float64)+data["Unpacked"].(float64) {
			t.Errorf("%s: sizes %v, %v", what, sizes, data)
		}
	}
	got := read[object](w, "/containers/user/json")["ImageManifestDescriptor"]
	holds(w, "the container's", got, object{"digest": digest, "annotations": object{"note": "kept"}, "data": own.Data, "platform": object{"os": "linux", "architecture": runtime.GOARCH}})
	platform := "platform=" + url.QueryEscape(`{"os":"linux","architecture":"`+runtime.GOARCH+`"}`)
	one := read[object](w, "/images/"+ref.Name()+"/json?"+platform)
	holds(w, "inspect of a platform", one, object{"Id": digest, "Descriptor": object{"digest": digest, "annotations": object{"note": "kept"}, "data": own.Data,
		"platform": object{"os": "linux", "architecture": runtime.GOARCH}}})
	archive := ask(w, http.StatusOK, http.MethodGet, "/images/get?names="+ref.Name()+"&"+platform, nil)
	if status, text := w.Raw(http.MethodPost, "/images/load?"+platform, bytes.NewReader(archive)); status != http.StatusOK || !strings.Contains(text, "Loaded image: "+ref.Name()) {
		t.Errorf("load: %d, %s", status, text)
	}
	out := read[registry.DistributionInspect](w, "/distribution/"+ref.Name()+"/json")
	want(w, "platforms of the registry's", len(out.Platforms), 3)
	holds(w, "distribution", out, object{"Descriptor": object{"digest": of, "mediaType": types.OCIImageIndex}})
	holds(w, "distribution", out.Platforms[2], object{"os": "linux", "architecture": "arm", "variant": "v7", "os.features": []string{"feature"}})
}

// A commit takes the configuration that it is sent, before the container's own.
func TestCommitFields(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Name: "base", Cmd: []string{"sh", "-c", "echo x > /new"}})
	w.Wait(id)
	conf := config()
	delete(conf, "Image")
	for _, k := range []string{"Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce", "Tty", "NetworkDisabled", "StopTimeout"} {
		delete(conf, k) // an image of the OCI has none of them
	}
	body := with(with(config(), "MacAddress", ""), "NetworkDisabled", true)
	var out object
	w.Must(json.Unmarshal(ask(w, http.StatusCreated, http.MethodPost, "/commit?container=base&repo=made/here&tag=v2&comment=a+note&author=Me&pause=0", body), &out))
	in := read[object](w, "/images/made/here:v2/json")
	holds(w, "commit", in, object{"Id": out["Id"], "Author": "Me", "Comment": "a note", "RepoTags": []string{"made/here:v2"}})
	holds(w, "Config", in["Config"], conf)
	layers := in["RootFS"].(object)["Layers"].([]any)
	if base := read[object](w, "/images/bb/json")["RootFS"].(object)["Layers"].([]any); len(layers) != len(base)+1 || layers[0] != base[0] {
		t.Errorf("layers %v on %v", layers, base)
	}
	if got := w.Output(harness.Spec{Image: "made/here:v2", Cmd: []string{"cat /new"}}); got != "x\n" && got != "x\r\n" {
		t.Errorf("its file: %q", got)
	}
}

// A search passes the term and limit on, and filters what comes.
func TestSearchFields(t *testing.T) {
	w := harness.New(t)
	asked := make(chan url.Values, 9)
	reg := harness.NewRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/search" {
				next.ServeHTTP(out, r)
				return
			}
			asked <- r.URL.Query()
			out.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(out, `{"num_results":2,"results":[{"name":"web","description":"serves","star_count":7,"is_official":true},{"name":"team/web","description":"","star_count":1}]}`)
		})
	})
	term := "term=" + reg.Addr + "/web"
	list := read[[]object](w, "/images/search?limit=5&"+term)
	holds(w, "found", list, []object{{"name": "web", "description": "serves", "star_count": 7, "is_official": true, "is_automated": false},
		{"name": "team/web", "description": "", "star_count": 1, "is_official": false, "is_automated": false}})
	if q := <-asked; q.Get("q") != "web" || q.Get("n") != "5" {
		t.Errorf("the registry was asked %v", q)
	}
	holds(w, "with stars", read[[]object](w, "/images/search?"+term+"&"+filters("stars", "3")), []object{{"name": "web"}})
	holds(w, "not official", read[[]object](w, "/images/search?"+term+"&"+filters("is-official", "false")), []object{{"name": "team/web"}})
}
