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
