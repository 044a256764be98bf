package instance_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/berthhq/berth/hostagent/instance"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
)

func open(t *testing.T, dir string) *instance.Instance {
	t.Helper()
	i, err := instance.Open(paths.Machine{Name: "test", Dir: dir}, "qemu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

func TestWhatIsKnownLasts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	i := open(t, dir)
	if s := i.State().Settings; s.Driver != "qemu" || s.CPUs < 1 || s.Memory < instance.MinMemory || s.Disk < instance.MinDisk {
		t.Errorf("defaults %+v", s)
	}
	if instance.Exists(i.Layout.State()) {
		t.Error("a state file before anything is known")
	}
	if err := i.Update(func(s *instance.State) { s.Proven, s.Image = "emulation", "sha256:1" }); err != nil {
		t.Fatal(err)
	}
	if err := i.Set(machineapi.Settings{Memory: 512 << 20}); err != nil {
		t.Fatal(err)
	}
	i.Close()
	again := open(t, dir).State()
	if again.Proven != "emulation" || again.Image != "sha256:1" || again.Settings.Memory != 512<<20 || again.Settings.Driver != "qemu" {
		t.Errorf("%+v", again)
	}
}

func TestOneAgentServesAMachine(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	_, err := instance.Open(paths.Machine{Name: "test", Dir: dir}, "qemu")
	if errdefs.KindOf(err) != errdefs.KindConflict || !strings.Contains(err.Error(), "(pid ") {
		t.Errorf("a second agent: %v", err)
	}
	first.Close()
	open(t, dir)
}

func TestAStateFileThatCannotBeReadIsNotWrittenOver(t *testing.T) {
	for want, text := range map[string]string{
		"cannot be read":         `{"version":1,"settings":{"cpus":`,
		"written by a newer":     `{"version":99}`,
		"cannot unmarshal array": `[]`,
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "machine.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		i := open(t, dir)
		if err := i.Fault(); err == nil || !strings.Contains(err.Error(), want) || errdefs.HintOf(err) == "" {
			t.Errorf("%s: %v", text, err)
		}
		if err := i.Set(machineapi.Settings{CPUs: 1}); err == nil {
			t.Errorf("%s: settings are written", text)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != text {
			t.Errorf("%s became %s, %v", text, b, err)
		}
		i.Close()
	}
}

func TestAHalfWrittenFileBesideItIsOfNoAccount(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	if err := i.Update(func(s *instance.State) { s.Image = "sha256:1" }); err != nil {
		t.Fatal(err)
	}
	i.Close()
	if err := os.WriteFile(filepath.Join(dir, "machine.json.new"), []byte(`{"ver`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir); got.Fault() != nil || got.State().Image != "sha256:1" {
		t.Errorf("%+v, %v", got.State(), got.Fault())
	}
}

func TestSettingsAreChecked(t *testing.T) {
	i := open(t, t.TempDir())
	for want, s := range map[string]machineapi.Settings{
		"cpus: this machine has":   {CPUs: runtime.NumCPU() + 1},
		"at least 256 MiB":         {Memory: 64 << 20},
		"in steps of 2 MiB":        {Memory: 512<<20 + 1},
		"a disk does not shrink":   {Disk: 1 << 30},
		"1 GiB to 16 TiB":          {Disk: 17 << 40},
		"-1 cpus: this machine ha": {CPUs: -1},
	} {
		if err := i.Set(s); errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestTheDataDiskGrowsAndTakesUpNothing(t *testing.T) {
	i := open(t, t.TempDir())
	f, err := i.OpenDisk()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("kept"), 4096); err != nil {
		t.Fatal(err)
	}
	f.Close()
	size := i.State().Settings.Disk + 1<<30
	if err := i.Set(machineapi.Settings{Disk: size}); err != nil {
		t.Fatal(err)
	}
	f, err = i.OpenDisk()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4)
	if info, err := f.Stat(); err != nil || info.Size() != size {
		t.Errorf("%v, %v; want %d", info.Size(), err, size)
	}
	if _, err := f.ReadAt(b, 4096); err != nil || string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
	if runtime.GOOS != "windows" && i.DiskUsed() > 1<<20 {
		t.Errorf("%d bytes of the host are used", i.DiskUsed())
	}
	if err := i.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(i.Layout.DataDisk()); !os.IsNotExist(err) {
		t.Errorf("the disk after a reset: %v", err)
	}
}
