//go:build linux

package image

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func TestPushAllTagsAndOnePlatform(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := bothPulled(t, s, h)
	arm, s390 := platformOf("linux/arm64"), platformOf("linux/s390x")
	part, err := s.ImageInspect(ctx, ref, &arm, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"1", "2"} {
		if err := s.ImageTag(ctx, ref, h.host+"/many:"+tag); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := s.ImagePush(ctx, h.host+"/many", nil, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1: digest: ", "2: digest: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %s", want, out.String())
		}
	}
	whole, err := s.DistributionInspect(ctx, h.host+"/many:2", nil)
	if err != nil || len(whole.Platforms) != 2 {
		t.Errorf("the registry has %+v, %v", whole, err)
	}
	out.Reset()
	if err := s.ImagePush(ctx, h.host+"/many:2", &arm, nil, &out); err != nil || strings.Contains(out.String(), "manifestPushedInsteadOfIndex") {
		t.Fatalf("one platform: %v, %s", err, out.String())
	}
	if one, err := s.DistributionInspect(ctx, h.host+"/many:2", nil); err != nil || one.Descriptor.Digest.String() != part.ID || len(one.Platforms) != 1 {
		t.Errorf("the registry has %+v, %v", one, err)
	}
	if err := s.ImagePush(ctx, h.host+"/many:2", &s390, nil, nil); errdefs.KindOf(err) != errdefs.KindNotFound ||
		!strings.HasSuffix(err.Error(), "was found but does not provide the specified platform (linux/s390x)") {
		t.Errorf("a platform that is not here: %v", err)
	}
	out.Reset()
	only := open(t, amd64) // has one platform of the index
	if err := only.ImagePull(ctx, ref, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := only.ImageTag(ctx, ref, h.host+"/part:1"); err != nil {
		t.Fatal(err)
	}
	if err := only.ImagePush(ctx, h.host+"/part:1", nil, nil, &out); err != nil || !strings.Contains(out.String(), `"aux":{"manifestPushedInsteadOfIndex":true,"originalIndex":{`) {
		t.Errorf("a part without a word of which: %v, %s", err, out.String())
	}
}

// What was pushed to one repository is mounted into the next of the same registry.
func TestPushMountsWhatWasPushed(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	if _, err := s.ImageImport(ctx, bytes.NewReader(tarOf(t, file{name: "a", body: "x"})), ImportOptions{Source: "-", Name: h.host + "/first:1"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.ImagePush(ctx, h.host+"/first:1", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.ImageTag(ctx, h.host+"/first:1", h.host+"/second:1"); err != nil {
		t.Fatal(err)
	}
	var from []string
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/second/blobs/") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		if r.Method == http.MethodPost && r.URL.Query().Get("mount") != "" {
			from = append(from, r.URL.Query().Get("from"))
			w.WriteHeader(http.StatusCreated)
			return true
		}
		return false
	})
	var out bytes.Buffer
	err := s.ImagePush(ctx, h.host+"/second:1", nil, nil, &out)
	if err != nil || fmt.Sprint(from) != "[first first]" || !strings.Contains(out.String(), `"status":"Mounted from first"`) {
		t.Errorf("mounted from %v, %v: %s", from, err, out.String())
	}
}

func TestHistoryOfSeveralKinds(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	one, two := layer(t, file{name: "a", body: strings.Repeat("a", 9000)}), layer(t, file{name: "b", body: strings.Repeat("b", 3000)})
	for name, tt := range map[string]struct {
		steps []v1.History
		want  string // what made each, newest first, and whether it has a size
		fails bool
	}{
		"steps":    {[]v1.History{{CreatedBy: "ADD a"}, {CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "ADD b", Comment: "c"}}, "ADD b+ ENV ADD a+", false},
		"no-steps": {nil, "", false},
		"fewer":    {[]v1.History{{CreatedBy: "ADD a"}}, "ADD a+", false},
		"too-many": {[]v1.History{{CreatedBy: "1"}, {CreatedBy: "2"}, {CreatedBy: "3"}}, "", true},
	} {
		img := imageOf(t, v1.Config{}, one, two)
		cfg, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		cfg = cfg.DeepCopy()
		cfg.History = tt.steps
		if img, err = mutate.ConfigFile(img, cfg); err != nil {
			t.Fatal(err)
		}
		ref := h.push(t, "hist/"+name+":1", img)
		if err := s.ImagePull(ctx, ref, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		list, err := s.ImageHistory(ctx, ref, nil)
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, i := range list {
			if i.Size > 0 {
				i.CreatedBy += "+"
			}
			got = append(got, i.CreatedBy)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if len(list) > 1 && (list[0].Tags[0] != ref || list[1].ID != "<missing>") {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

func TestPruneFilters(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	now := time.Now()
	fill := func() {
		for name, age := range map[string]time.Duration{"old": 48 * time.Hour, "new": time.Hour} {
			ref := h.push(t, "prune/"+name+":1", aged(t, name, now.Add(-age), name))
			if err := s.ImagePull(ctx, ref, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		f    map[string]map[string]bool
		left string
	}{
		{nil, "new old"},
		{filters("until", "1h30m"), "new old"}, // dangling ones alone, of which there are none
		{filters("dangling", "0", "until", "24h"), "new"},
		{filters("dangling", "false", "until", fmt.Sprint(now.Add(-24*time.Hour).Unix())), "new"},
		{filters("dangling", "false", "label", "who=new"), "old"},
		{filters("dangling", "false", "label!", "who=new"), "new"},
		{filters("dangling", "false", "label", "who", "until", "24h"), "new"},
		{filters("dangling", "false", "label", "nobody"), "new old"},
		{filters("dangling", "false"), ""},
	} {
		fill()
		if _, err := s.ImagePrune(ctx, tt.f); err != nil {
			t.Errorf("%v: %v", tt.f, err)
		}
		list, err := s.ImageList(ctx, ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range list {
			got = append(got, i.Labels["who"])
		}
		if strings.Join(got, " ") != tt.left {
			t.Errorf("%v leaves %v, want %s", tt.f, got, tt.left)
		}
	}
	s.pruning.Store(true)
	if _, err := s.ImagePrune(ctx, nil); errdefs.KindOf(err) != errdefs.KindConflict || err.Error() != "a prune operation is already running" {
		t.Errorf("two at once: %v", err)
	}
	s.pruning.Store(false)
}
