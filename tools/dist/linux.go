package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// libexec is where packages put the programs that berth starts; berth looks there (cmd/berth/cli/companion, internal/endpoint).
const libexec = "/usr/libexec/berth"

var (
	companions = []string{"berth-buildx", "berth-compose", "berth-engine", "berth-hostagent", "berth-init", "berth-netd", "berth-supervisor"}
	plugins    = []string{"buildx", "compose"} // Compose builds with the buildx that it finds under docker's name
)

func (r *release) makeLinux() error {
	for _, p := range append([]string{"berth"}, companions...) {
		if _, err := os.Stat(filepath.Join(r.bin, p)); err != nil {
			return fmt.Errorf("%s for Linux is not there: make build", p)
		}
	}
	if r.arch == "amd64" {
		r.note("linux-arm64: left out: berth-supervisor needs a C compiler and libseccomp for arm64; run make dist on an arm64 machine")
	}
	base := fmt.Sprintf("berth-%s-linux-%s", r.fileVersion(), r.arch)
	flat, err := r.linuxArchive(base)
	if err != nil {
		return err
	}
	archive := filepath.Join(r.out, base+".tar.gz")
	if err := writeTar(archive, flat, r.when); err != nil {
		return err
	}
	r.wrote(archive)
	tree, err := r.linuxTree()
	if err != nil {
		return err
	}
	for _, format := range []string{"deb", "rpm"} {
		if _, err := r.linuxPackage(format, tree); err != nil {
			return err
		}
	}
	return r.materials(base, flat)
}

// linuxArchive has all programs beside each other, where they find each other wherever it is unpacked.
func (r *release) linuxArchive(top string) ([]entry, error) {
	out := r.programs(top, top)
	image, err := r.image(filepath.Join(r.bin, "berth-hostagent"), r.arch, top+"/vm/"+r.arch)
	if err != nil {
		return nil, err
	}
	man, err := r.manual(top + "/man/man1")
	if err != nil {
		return nil, err
	}
	for _, c := range []string{"berth.bash", "_berth", "berth.fish"} {
		out = append(out, entry{path: top + "/completions/" + c, source: filepath.Join(r.stage, "completions", c), mode: 0o644})
	}
	out = append(out, entry{path: top + "/LICENSE", source: filepath.Join(r.repo, "LICENSE"), mode: 0o644})
	return slices.Concat(out, image, man), nil
}

// linuxTree is what a package installs.
func (r *release) linuxTree() ([]entry, error) {
	out := r.programs("/usr/bin", libexec)
	image, err := r.image(filepath.Join(r.bin, "berth-hostagent"), r.arch, libexec+"/vm/"+r.arch)
	if err != nil {
		return nil, err
	}
	man, err := r.manual("/usr/share/man/man1")
	if err != nil {
		return nil, err
	}
	staged := func(path, name string) entry {
		return entry{path: path, source: filepath.Join(r.stage, name), mode: 0o644}
	}
	out = append(out,
		staged("/usr/lib/systemd/system/berth.service", "berth.service"),
		staged("/usr/share/bash-completion/completions/berth", "completions/berth.bash"),
		staged("/usr/share/zsh/site-functions/_berth", "completions/_berth"),
		staged("/usr/share/fish/vendor_completions.d/berth.fish", "completions/berth.fish"),
		entry{path: "/usr/share/doc/berth/copyright", source: filepath.Join(r.repo, "LICENSE"), mode: 0o644})
	return slices.Concat(out, image, man), nil
}

// programs are berth in one directory and all others in another.
func (r *release) programs(bin, beside string) []entry {
	out := []entry{{path: bin + "/berth", source: filepath.Join(r.bin, "berth"), mode: 0o755}}
	for _, p := range companions {
		out = append(out, entry{path: beside + "/" + p, source: filepath.Join(r.bin, p), mode: 0o755})
	}
	for _, p := range plugins {
		out = append(out, entry{path: beside + "/cli-plugins/docker-" + p, link: "../berth-" + p})
	}
	return out
}
