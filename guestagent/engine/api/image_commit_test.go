package api

import (
	"net/http"
	"strings"
	"testing"
)

func TestChangesOfCommitAndImport(t *testing.T) {
	for req, want := range map[string]string{
		"POST /commit?container=c&changes=USER+a&changes=CMD+b":                       "ImageCommit c    [USER a CMD b] false",
		"POST /commit?container=c|{}":                                                 "ImageCommit c    [] true",
		"POST /images/create?fromSrc=-&repo=r&changes=USER+a":                         "ImageImport - docker.io/library/r:latest  - [USER a]",
		"POST /images/create?fromSrc=http://x/y.tar&message=m&platform=linux%2Farm64": "ImageImport http://x/y.tar  m linux/arm64 []",
	} {
		line, body, _ := strings.Cut(req, "|")
		method, target, _ := strings.Cut(line, " ")
		f := &fake{}
		w := ask(f, method, target, body, "Content-Type: application/json")
		if got := strings.Join(f.calls, "|"); got != want || w.Code >= http.StatusBadRequest {
			t.Errorf("%s: %d %q, want %q", req, w.Code, got, want)
		}
	}
}

func TestPlatformsOfRemovalAndLoad(t *testing.T) {
	const arm, amd = `%7B"os":"linux","architecture":"arm64"%7D`, `%7B"os":"linux","architecture":"amd64"%7D`
	for _, tt := range []struct{ method, target, want string }{
		{"DELETE", "/v1.50/images/x?force=1&platforms=" + arm + "&platforms=" + amd, "ImageRemove x true false linux/arm64 linux/amd64"},
		{"DELETE", "/v1.49/images/x?platforms=" + arm, "ImageRemove x false false"}, // did not exist
		{"POST", "/v1.48/images/load?platform=" + arm, "ImageLoad true linux/arm64"},
		{"POST", "/v1.47/images/load?platform=" + arm, "ImageLoad true"},
	} {
		f := &fake{}
		ask(f, tt.method, tt.target, "", "Content-Type: application/x-tar")
		if got := f.last(); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.method, tt.target, got, tt.want)
		}
	}
}
