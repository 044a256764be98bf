//go:build linux

package runtime

import (
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestTheDriverIsDockerdsChoice(t *testing.T) {
	for _, c := range []struct {
		wanted          string
		unified, booted bool
		version, driver string
	}{
		{"", true, true, "2", "systemd"},
		{"", true, false, "2", "cgroupfs"},
		{"", false, true, "1", "cgroupfs"},
		{"cgroupfs", true, true, "2", "cgroupfs"},
		{"systemd", false, true, "1", "systemd"},
	} {
		got, err := chooseCgroups(c.wanted, "", c.unified, c.booted)
		if err != nil || got.Version != c.version || got.Driver != c.driver {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	if _, err := chooseCgroups("systemd", "", true, false); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("systemd where it does not run: %v", err)
	}
}

func TestCgroupParents(t *testing.T) {
	for _, c := range []struct{ driver, own, parent, path string }{
		{Cgroupfs, "", "", "/berth/c1"},
		{Cgroupfs, "all", "", "/all/c1"},
		{Cgroupfs, "all", "/one/two", "/one/two/c1"},
		{Cgroupfs, "", "../../one", "/one/c1"},
		{SystemdDriver, "", "", "system.slice:berth:c1"},
		{SystemdDriver, "all.slice", "", "all.slice:berth:c1"},
		{SystemdDriver, "all.slice", "one.slice", "one.slice:berth:c1"},
	} {
		if got := (Cgroups{Driver: c.driver, Parent: c.own}).Path(c.parent, "c1"); got != c.path {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestASystemdParentIsASlice(t *testing.T) {
	const words = `cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"`
	for _, parent := range []string{"x", ".slice", "/a/b", "x.slice/"} {
		err := Cgroups{Driver: SystemdDriver}.CheckParent(parent)
		if err == nil || err.Error() != words || errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%q: %v", parent, err)
		}
		if err := (Cgroups{Driver: Cgroupfs}).CheckParent(parent); err != nil {
			t.Errorf("cgroupfs %q: %v", parent, err)
		}
	}
	if err := (Cgroups{Driver: SystemdDriver}).CheckParent("x.slice"); err != nil {
		t.Error(err)
	}
	if _, err := chooseCgroups("systemd", "berth", true, true); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the engine's own: %v", err)
	}
}
