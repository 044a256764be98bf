package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/vmimage/manifest"
)

// sample is a release whose programs are short texts, but for berth if that is given.
func sample(t *testing.T, version, berth string) *release {
	t.Helper()
	dir := t.TempDir()
	r := &release{
		version: version, when: time.Unix(1700000000, 0).UTC(), repo: "../..", arch: "amd64", fast: true, notes: io.Discard,
		bin: filepath.Join(dir, "bin"), windows: filepath.Join(dir, "windows"), out: filepath.Join(dir, "out"), stage: filepath.Join(dir, "stage"),
	}
	for _, d := range []string{r.bin, r.windows, r.out, r.stage} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range companions {
		write(t, filepath.Join(r.bin, p), "program "+p)
	}
	for _, p := range windowsPrograms {
		write(t, filepath.Join(r.windows, p+".exe"), "program "+p)
	}
	write(t, filepath.Join(r.bin, "berth"), "program berth")
	if berth != "" {
		b, err := os.ReadFile(berth)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(r.bin, "berth"), string(b))
	}
	if err := r.documents(); err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func makeDeb(t *testing.T, r *release) string {
	t.Helper()
	tree, err := r.linuxTree()
	if err != nil {
		t.Fatal(err)
	}
	deb, err := r.linuxPackage("deb", tree)
	if err != nil {
		t.Fatal(err)
	}
	return deb
}

// debian is a system of dpkg's in a directory. Maintainers' scripts are told of the directory and run outside it.
type debian struct {
	t    *testing.T
	root string
}

func newDebian(t *testing.T) debian {
	t.Helper()
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("there is no dpkg here")
	}
	if os.Geteuid() != 0 {
		t.Skip("dpkg installs as root")
	}
	d := debian{t: t, root: t.TempDir()}
	for _, f := range []string{"var/lib/dpkg/status", "var/lib/dpkg/available", "var/lib/dpkg/updates/.keep", "var/lib/dpkg/info/format"} {
		write(t, filepath.Join(d.root, f), "")
	}
	write(t, d.path("var/lib/dpkg/info/format"), "1\n")
	if err := os.Remove(d.path("var/lib/dpkg/updates/.keep")); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d debian) path(p string) string { return filepath.Join(d.root, p) }

func (d debian) dpkg(args ...string) {
	d.t.Helper()
	args = append([]string{"--root=" + d.root, "--force-script-chrootless", "--force-unsafe-io", "--no-triggers"}, args...)
	cmd := exec.Command("dpkg", args...)
	cmd.Env = append(os.Environ(), "DPKG_MAINTSCRIPT_DEBUG=0", "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("dpkg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestDebIsInstalledUpgradedAndRemoved(t *testing.T) {
	d := newDebian(t)
	berth := "../../bin/berth"
	if _, err := os.Stat(berth); err != nil {
		t.Skip("berth is not built: make build")
	}
	data := d.path("var/lib/berth/volumes/db/data")
	d.dpkg("--install", makeDeb(t, sample(t, "v1.0.0", berth)))
	write(t, data, "precious")
	if out, err := exec.Command(d.path("usr/bin/berth"), "--version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "berth version ") {
		t.Errorf("berth --version: %v: %s", err, out)
	}
	for _, want := range []string{
		"usr/libexec/berth/berth-engine", "usr/libexec/berth/cli-plugins/docker-compose", "usr/lib/systemd/system/berth.service",
		"usr/share/man/man1/berth-run.1", "usr/share/bash-completion/completions/berth",
	} {
		if info, err := os.Stat(d.path(want)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", want, err)
		}
	}
	if !strings.Contains(read(t, d.path("usr/lib/systemd/system/berth.service")), "ExecStart=\"/usr/libexec/berth/berth-engine\"\n") {
		t.Error("the unit starts another engine")
	}
	d.dpkg("--install", makeDeb(t, sample(t, "v1.0.1", berth)))
	if status := read(t, d.path("var/lib/dpkg/status")); !strings.Contains(status, "Version: 1.0.1\n") {
		t.Errorf("after the upgrade:\n%s", status)
	}
	if read(t, data) != "precious" {
		t.Error("the upgrade has changed data")
	}
	d.dpkg("--purge", "berth")
	for _, gone := range []string{"usr/bin/berth", "usr/libexec/berth", "usr/lib/systemd/system/berth.service"} {
		if _, err := os.Stat(d.path(gone)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
	if read(t, data) != "precious" {
		t.Error("the removal has changed data")
	}
}

func TestVersionsAreInOrder(t *testing.T) {
	at := func(version string) string {
		return (&release{version: version, when: time.Unix(1700000000, 0).UTC()}).packageVersion()
	}
	order := []string{at("abc1234-dirty"), at("v1.2.0-rc.1"), at("v1.2.0"), at("v1.2.0-3-gabcdef0"), at("v1.2.0-3-gabcdef0-dirty"), at("v1.2.1")}
	want := []string{"0.0.0~20231114221320.abc1234.dirty", "1.2.0~rc.1", "1.2.0", "1.2.0+3.gabcdef0", "1.2.0+3.gabcdef0+dirty", "1.2.1"}
	for i := range order {
		if order[i] != want[i] {
			t.Errorf("%s, want %s", order[i], want[i])
		}
		if i == 0 {
			continue
		}
		if dpkg, err := exec.LookPath("dpkg"); err == nil && exec.Command(dpkg, "--compare-versions", order[i-1], "lt", order[i]).Run() != nil {
			t.Errorf("dpkg does not take %s to be before %s", order[i-1], order[i])
		}
	}
}

// Files that are newer and otherwise permitted make the same packages.
func TestTwiceTheSame(t *testing.T) {
	var made [2]map[string]string
	for i := range made {
		r := sample(t, "v1.0.0", "")
		if i == 1 {
			now := time.Now().Add(-time.Hour)
			for _, f := range []string{filepath.Join(r.bin, "berth"), filepath.Join(r.stage, "man", "berth.1")} {
				if err := os.Chtimes(f, now, now); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(f, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		tree, err := r.linuxTree()
		if err != nil {
			t.Fatal(err)
		}
		files, err := r.windowsArchive()
		if err != nil {
			t.Fatal(err)
		}
		tar, zip := filepath.Join(r.out, "a.tar.gz"), filepath.Join(r.out, "a.zip")
		for _, err := range []error{writeTar(tar, tree, r.when), writeZip(zip, files, r.when)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		rpm, err := r.linuxPackage("rpm", tree)
		if err != nil {
			t.Fatal(err)
		}
		made[i] = map[string]string{"tar": read(t, tar), "zip": read(t, zip), "rpm": read(t, rpm), "deb": read(t, makeDeb(t, r))}
	}
	for format, first := range made[0] {
		if first != made[1][format] {
			t.Errorf("two runs make another %s", format)
		}
	}
}

func TestImageOfAnotherHostAgentIsLeftOut(t *testing.T) {
	r := sample(t, "v1.0.0", "")
	var notes bytes.Buffer
	r.notes = &notes
	sum := strings.Repeat("0", 64)
	m := manifest.Manifest{Format: manifest.Format, Arch: "amd64", Parts: []manifest.Part{
		{Role: manifest.Kernel, File: "vmlinux", Size: 1, SHA256: sum}, {Role: manifest.Initrd, File: "initramfs.cpio", Size: 1, SHA256: sum},
	}}
	encoded, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.bin, "vm/amd64", manifest.Name), string(encoded))
	agent := filepath.Join(r.bin, "berth-hostagent")
	got, err := r.image(agent, "amd64", "vm/amd64")
	if err != nil || len(got) != 0 || !strings.Contains(notes.String(), "was not built to boot it") {
		t.Errorf("%v, %v; said: %s", got, err, notes.String())
	}
	write(t, agent, "program with "+manifest.Digest(encoded)+" inside")
	if got, err = r.image(agent, "amd64", "vm/amd64"); err != nil || len(got) != 3 {
		t.Errorf("the host agent's own: %v, %v", got, err)
	}
}

func TestFormulaOnlyOfArchivesThatAreThere(t *testing.T) {
	r := sample(t, "v1.0.0", "")
	formula := filepath.Join(r.out, "homebrew/berth.rb")
	if err := r.makeDarwin(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(formula); !os.IsNotExist(err) {
		t.Errorf("without an archive: %v", err)
	}
	write(t, filepath.Join(r.bin, "berth-darwin-arm64.tar.gz"), "archive")
	if err := r.makeDarwin(); err != nil {
		t.Fatal(err)
	}
	text := read(t, formula)
	// The sum is that of "archive".
	if !strings.Contains(text, `sha256 "0eb3e36bfb24dcd9bb1d1bece1531216b59539a8fde17ee80224af0653c92aa3"`) || strings.Contains(text, "on_intel") {
		t.Errorf("the formula:\n%s", text)
	}
}

func TestAForeignDirectoryIsNotEmptied(t *testing.T) {
	r := sample(t, "v1.0.0", "")
	theirs := filepath.Join(r.out, "thesis.txt")
	write(t, theirs, "ten years")
	if err := r.emptyOut(); err == nil || !strings.Contains(err.Error(), "empty it first") {
		t.Errorf("said %v", err)
	}
	if read(t, theirs) != "ten years" {
		t.Error("and it is gone")
	}
	if err := os.Remove(theirs); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(r.out, "berth.zip")
	for range 2 { // the second finds what a run that failed has left
		if err := r.emptyOut(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(half); !os.IsNotExist(err) {
			t.Errorf("an earlier run's file is left: %v", err)
		}
		write(t, half, "half")
	}
	if err := r.sums(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(r.out, sumsName)); !strings.HasSuffix(got, "  berth.zip\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("the sums: %s", got)
	}
}
