package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

func TestNegotiate(t *testing.T) {
	for _, tc := range []struct{ in, want, err string }{
		{"", "1.56", ""},
		{"1.24", "1.24", ""},
		{"1.56", "1.56", ""},
		{"1.41.0", "1.41", ""},
		{"1.57", "1.56", "client version 1.57 is too new. Maximum supported API version is 1.56"},
		{"1.99", "1.56", "client version 1.99 is too new. Maximum supported API version is 1.56"},
		{"2.0", "1.56", "client version 2.0 is too new. Maximum supported API version is 1.56"},
		{"1.23", "1.56", "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"},
		{"1", "1.56", "client version 1 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"},
		{"0.9", "1.56", "client version 0.9 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"},
		{"..", "1.56", `invalid API version ".." in the request's path`},
		{"1.", "1.56", `invalid API version "1." in the request's path`},
		{"99999999999999999999.1", "1.56", `invalid API version "99999999999999999999.1" in the request's path`},
	} {
		v, err := negotiate(tc.in)
		if v.String() != tc.want {
			t.Errorf("negotiate(%q) = %v, want %s", tc.in, v, tc.want)
		}
		if msg := errText(err); msg != tc.err {
			t.Errorf("negotiate(%q) error = %q, want %q", tc.in, msg, tc.err)
		}
	}
}

func TestNewestIsTheClientsNewest(t *testing.T) {
	if got := Newest().String(); got != client.MaxAPIVersion {
		t.Errorf("Newest() = %s, but the module's client speaks %s: go through its changelog, then raise it", got, client.MaxAPIVersion)
	}
}

func TestSplitVersion(t *testing.T) {
	for _, tc := range []struct{ in, version, rest string }{
		{"/v1.44/info", "1.44", "/info"},
		{"/info", "", "/info"},
		{"/v1.44", "", "/v1.44"},
		{"/volumes", "", "/volumes"},
		{"/v1.x/info", "", "/v1.x/info"},
		{"/v/info", "", "/v/info"},
		{"/v1.44/images/v1.2/x/json", "1.44", "/images/v1.2/x/json"},
		{"", "", ""},
	} {
		if v, rest := splitVersion(tc.in); v != tc.version || rest != tc.rest {
			t.Errorf("splitVersion(%q) = %q, %q, want %q, %q", tc.in, v, rest, tc.version, tc.rest)
		}
	}
}

func TestPing(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/_ping", "/v1.30/_ping"} {
			w := ask(&fake{}, method, path, "")
			if w.Code != http.StatusOK {
				t.Errorf("%s %s = %d, want 200", method, path, w.Code)
			}
			for key, want := range map[string]string{
				"Api-Version": "1.56", "Ostype": "linux", "Docker-Experimental": "false", "Builder-Version": "2", "Swarm": "inactive",
				"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache",
			} {
				if got := w.Header().Get(key); got != want {
					t.Errorf("%s %s: %s = %q, want %q", method, path, key, got, want)
				}
			}
			if got := w.Header().Get("Server"); !strings.HasPrefix(got, "Berth/") {
				t.Errorf("%s %s: Server = %q, want Berth/…", method, path, got)
			}
			if want := map[string]string{"GET": "OK", "HEAD": ""}[method]; w.Body.String() != want {
				t.Errorf("%s %s body = %q, want %q", method, path, w.Body, want)
			}
		}
	}
}

// A client that is too new learns from the refusal itself what it may speak.
func TestRefusedVersionStillSaysWhatIsServed(t *testing.T) {
	w := ask(&fake{}, "GET", "/v1.99/info", "")
	if got := w.Header().Get("Api-Version"); w.Code != http.StatusBadRequest || got != "1.56" {
		t.Errorf("status %d, Api-Version %q, want 400 and 1.56", w.Code, got)
	}
}
