//go:build linux

package build

import (
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestPruneFilter(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	one := func(key, value string) map[string]map[string]bool {
		return map[string]map[string]bool{key: {value: true}}
	}
	for _, tc := range []struct {
		f      map[string]map[string]bool
		filter string
		age    time.Duration
	}{
		{nil, "", 0},
		{one("until", "24h"), "", 24 * time.Hour},
		{one("unused-for", "1h"), "", time.Hour},
		{one("until", "2026-01-01T00:00:00Z"), "", 24 * time.Hour},
		{one("id", "abc"), "id~=abc", 0},
		{map[string]map[string]bool{"type": {"regular": true}, "inuse": {}}, "inuse,type==regular", 0},
	} {
		if filter, age, err := pruneFilter(tc.f, now); err != nil || filter != tc.filter || age != tc.age {
			t.Errorf("%v gives %q, %v, %v", tc.f, filter, age, err)
		}
	}
	for _, f := range []map[string]map[string]bool{
		one("until", "soon"), {"until": {"1h": true, "2h": true}}, {"until": {"1h": true}, "unused-for": {"1h": true}}, {"id": {"a": true, "b": true}},
	} {
		if _, _, err := pruneFilter(f, now); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%v gives %v", f, err)
		}
	}
}
