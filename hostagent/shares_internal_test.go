package hostagent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/internal/agentapi"
)

func TestAGuestMakesNothingOutsideAShare(t *testing.T) {
	share, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(share, "way-out")); err != nil {
		t.Fatal(err)
	}
	ask := func(rel string, make bool) agentapi.Code {
		err := present(share, rel, agentapi.PathQuery{Path: filepath.Join(share, rel), Make: make})
		if err == nil {
			return ""
		}
		return agentapi.CodeOf(err)
	}
	for _, q := range []struct {
		rel  string
		make bool
		want agentapi.Code
	}{
		{"", false, ""}, {"none", false, agentapi.CodeNotFound}, {"a/b", true, ""}, {"a/b", false, ""},
		{"way-out", false, agentapi.CodeFailed}, {"way-out/x", true, agentapi.CodeFailed}, {"../x", true, agentapi.CodeFailed},
	} {
		if got := ask(q.rel, q.make); got != q.want {
			t.Errorf("%q: %q, want %q", q.rel, got, q.want)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside there is %v, %v", left, err)
	}
}
