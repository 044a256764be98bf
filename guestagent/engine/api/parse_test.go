package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestParseTime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	for in, want := range map[string]time.Time{
		"":                               {},
		"0":                              {},
		"1":                              time.Unix(1, 0),
		"1.5":                            time.Unix(1, 500_000_000),
		"1.000000005":                    time.Unix(1, 5),
		"1.":                             time.Unix(1, 0),
		"-1.5":                           time.Unix(-1, -500_000_000),
		"10m":                            now.Add(-10 * time.Minute),
		"1h30m":                          now.Add(-90 * time.Minute),
		"-5s":                            now.Add(5 * time.Second),
		"2024-01-02":                     time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC),
		"2024-01-02Z":                    time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC),
		"2024-01-02T03:04":               time.Date(2024, 1, 2, 3, 4, 0, 0, time.UTC),
		"2024-01-02T03:04:05":            time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		"2024-01-02T03:04:05.6":          time.Date(2024, 1, 2, 3, 4, 5, 600_000_000, time.UTC),
		"2024-01-02T03:04:05Z":           time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		"2024-01-02T03:04:05.6789+02:00": time.Date(2024, 1, 2, 1, 4, 5, 678_900_000, time.UTC),
	} {
		got, err := parseTime("since", in, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("parseTime(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"x", "1.x", "1.-5", "1.0000000001", "--1", "2024-13-01", "99999999999999999999", " 1", "1 2", "NaN", "1e3"} {
		if got, err := parseTime("since", in, now); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("parseTime(%q) = %v, %v, want an error", in, got, err)
		}
	}
}

func TestParseFilters(t *testing.T) {
	for in, want := range map[string]Filters{
		"":                                   {},
		"{}":                                 {},
		"null":                               {},
		`{"a":{"b":true}}`:                   {"a": {"b": true}},
		`{"a":{"b":true,"c":false}}`:         {"a": {"b": true, "c": false}},
		`{"a":["b","c"]}`:                    {"a": {"b": true, "c": true}},
		`{"a":[]}`:                           {"a": {}},
		`{"a":null}`:                         {"a": {}},
		`{"label":["x=\"<&>\""],"until":[]}`: {"label": {`x="<&>"`: true}, "until": {}},
	} {
		got, err := parseFilters(in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("parseFilters(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
}

func TestEveryFilteredEndpointHasItsKeys(t *testing.T) {
	for _, endpoint := range []string{"containers", "containers/prune", "images", "images/prune", "networks", "networks/prune", "volumes", "volumes/prune", "build/prune"} {
		if len(filterKeys(endpoint)) == 0 {
			t.Errorf("%s takes any filter", endpoint)
		}
	}
}

func TestDecodeAuth(t *testing.T) {
	for in, user := range map[string]string{
		"":                            "",
		"e30=":                        "",
		"e30":                         "",
		b64(`{"username":"u"}`):       "u",
		b64(`{"username":"ü?>"}`):     "ü?>",
		b64(`{"username":"u"}  `):     "u",
		b64(`{"username":"u","x":1}`): "u",
	} {
		if auth, err := decodeAuth(in); err != nil || auth.Username != user {
			t.Errorf("decodeAuth(%q) = %+v, %v, want user %q", in, auth, err, user)
		}
	}
	for in, want := range map[string]string{
		"***":                       "must be a valid base64url-encoded string",
		b64(`{`):                    "invalid JSON: unexpected EOF",
		b64(`no`):                   "invalid JSON: invalid character",
		b64(`{"username":1}`):       "invalid JSON: json: cannot unmarshal number",
		b64(`{}{}`):                 "multiple JSON documents not allowed",
		b64(`{"username":"u"}rest`): "multiple JSON documents not allowed",
	} {
		_, err := decodeAuth(in)
		if !strings.HasPrefix(errText(err), "invalid X-Registry-Auth header: "+want) {
			t.Errorf("decodeAuth(%q) = %v, want %q", in, err, want)
		}
	}
}

func b64(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }

func TestFlags(t *testing.T) {
	for in, want := range map[string]bool{
		"": false, "x": false, "k": false, "k=": false, "k=0": false, "k=no": false, "k=False": false, "k=none": false, "k=%200%20": false,
		"k=1": true, "k=true": true, "k=yes": true, "k=anything": true,
	} {
		c := &call{r: httptest.NewRequest("GET", "/x?"+in, nil)}
		if err := c.parseQuery(); err != nil {
			t.Fatal(err)
		}
		if got := c.flag("k"); got != want {
			t.Errorf("%q is %v, want %v", in, got, want)
		}
	}
}

func TestJoinReference(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	for _, tc := range []struct{ name, tag, want string }{
		{"ubuntu", "", "docker.io/library/ubuntu"},
		{"ubuntu", "24.04", "docker.io/library/ubuntu:24.04"},
		{"ubuntu:1", "", "docker.io/library/ubuntu:1"},
		{"ubuntu:1", "2", "docker.io/library/ubuntu:2"},
		{"ubuntu", digest, "docker.io/library/ubuntu@" + digest},
		{"localhost:5000/a/b", "c", "localhost:5000/a/b:c"},
	} {
		if got, err := joinReference(tc.name, tc.tag); err != nil || got.String() != tc.want {
			t.Errorf("joinReference(%q, %q) = %v, %v, want %s", tc.name, tc.tag, got, err, tc.want)
		}
	}
}

func FuzzParseFilters(f *testing.F) {
	for _, s := range []string{"", "null", `{"a":{"b":true}}`, `{"a":["b"]}`, `{"a":null}`, `{"a":{"b":1}}`, `[`, `{"a":["b",2]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseFilters(s)
		if err != nil {
			if errdefs.KindOf(err) != errdefs.KindInvalid {
				t.Fatalf("parseFilters(%q) = %v, not the client's fault", s, err)
			}
			return
		}
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseFilters(string(data))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q gave %v, which reads back as %v, %v", s, got, again, err)
		}
	})
}

func FuzzDecodeAuth(f *testing.F) {
	for _, s := range []string{"", "e30", "e30=", "e317fQ==", b64(`{"username":"u"}`), "%", "===="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		auth, err := decodeAuth(s)
		if (auth == nil) != (err != nil) {
			t.Fatalf("decodeAuth(%q) = %v, %v", s, auth, err)
		}
		if err != nil && errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Fatalf("decodeAuth(%q) = %v, not the client's fault", s, err)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"", "0", "1.5", "-1.5", "10m", "2024-01-02", "2024-01-02T03:04:05.6+02:00", "9223372036854775807.999999999", "1.1.1"} {
		f.Add(s)
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime("since", s, now)
		if err != nil && (errdefs.KindOf(err) != errdefs.KindInvalid || !got.IsZero()) {
			t.Fatalf("parseTime(%q) = %v, %v", s, got, err)
		}
		if again, err2 := parseTime("since", s, now); !again.Equal(got) || (err == nil) != (err2 == nil) {
			t.Fatalf("parseTime(%q) is not the same twice: %v, %v", s, got, again)
		}
	})
}

func FuzzRequestLine(f *testing.F) {
	for _, s := range []string{"/v1.44/info", "/v1..4/info", "/containers//json", "/images/a/b/json", "/v99999999999999999999/x", "//", "/networks/"} {
		f.Add("GET", s)
	}
	f.Add("DELETE", "/containers/")
	r := newRouter(Routes())
	f.Fuzz(func(t *testing.T, method, path string) {
		prefix, rest := splitVersion(path)
		if prefix != "" && "/v"+prefix+rest != path {
			t.Fatalf("splitVersion(%q) = %q, %q", path, prefix, rest)
		}
		v, err := negotiate(prefix)
		if v.compare(Oldest()) < 0 || v.compare(Newest()) > 0 || (err != nil && errdefs.KindOf(err) != errdefs.KindInvalid) {
			t.Fatalf("negotiate(%q) = %v, %v", prefix, v, err)
		}
		route, name, ok := r.find(method, rest, v)
		if ok && name != "" && !strings.Contains(rest, name) || ok && route.Method != method {
			t.Fatalf("find(%q, %q) = %+v, %q", method, rest, route, name)
		}
	})
}

func FuzzParsePlatform(f *testing.F) {
	for _, s := range []string{"", "{}", `{"os":"linux","architecture":"arm64"}`, `{"variant":"v7"}`, "linux/arm64"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePlatform(s)
		if err == nil && (p.OS == "" || p.Architecture == "") || err != nil && errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Fatalf("parsePlatform(%q) = %v, %v", s, p, err)
		}
	})
}

func TestOneOrMore(t *testing.T) {
	for text, want := range map[string][]string{`"ls -l"`: {"ls -l"}, `["ls","-l"]`: {"ls", "-l"}, `[]`: {}, `null`: nil} {
		var got oneOrMore
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual([]string(got), want) {
			t.Errorf("%s is read as %#v, %v; want %#v", text, got, err, want)
		}
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), new(oneOrMore)); err == nil {
		t.Error("an object is taken for a list of words")
	}
}
