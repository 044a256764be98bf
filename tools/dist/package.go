package main

import (
	_ "embed"
	"io"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // nfpm.Get("deb")
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // nfpm.Get("rpm")
)

// Both formats run the same scripts, which tell dpkg's arguments from rpm's.
var (
	//go:embed scripts/installed.sh
	installedScript []byte
	//go:embed scripts/removing.sh
	removingScript []byte
	//go:embed scripts/removed.sh
	removedScript []byte
)

// linuxPackage writes a deb or an rpm and returns its path.
func (r *release) linuxPackage(format string, tree []entry) (string, error) {
	info, err := r.packageInfo(tree)
	if err != nil {
		return "", err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return "", err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.out, packager.ConventionalFileName(info))
	if err := create(path, func(w io.Writer) error { return packager.Package(info, w) }); err != nil {
		return "", err
	}
	r.wrote(path)
	return path, nil
}

func (r *release) packageInfo(tree []entry) (*nfpm.Info, error) {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "berth", Arch: r.arch, Platform: "linux", Version: r.packageVersion(), VersionSchema: "none",
		Maintainer: "The berth developers", Homepage: homepage, License: license, Section: "admin", Priority: "optional",
		Description: summary + "\n" + description, MTime: r.when,
		// All programs are static. What they start, they name where it is missing.
		Overridables: nfpm.Overridables{Recommends: []string{"procps"}, Suggests: []string{"git", "qemu-system-x86"}},
	})
	info.RPM.BuildHost = "localhost" // else the name of this machine
	info.RPM.Summary = summary
	info.RPM.Compression = "zstd"
	if r.fast {
		info.Deb.Compression, info.RPM.Compression = "none", "gzip:1"
	}
	for _, e := range sorted(tree) {
		info.Contents = append(info.Contents, r.content(e))
	}
	for _, s := range []struct {
		path *string
		name string
		text []byte
	}{
		{&info.Scripts.PostInstall, "installed.sh", installedScript},
		{&info.Scripts.PreRemove, "removing.sh", removingScript},
		{&info.Scripts.PostRemove, "removed.sh", removedScript},
	} {
		*s.path = filepath.Join(r.stage, s.name)
		if err := os.WriteFile(*s.path, s.text, 0o644); err != nil {
			return nil, err
		}
	}
	return info, nil
}

func (r *release) content(e entry) *files.Content {
	c := &files.Content{
		Source: e.source, Destination: e.path,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: e.mode, MTime: r.when},
	}
	if e.link != "" {
		c.Source, c.Type = e.link, files.TypeSymlink
	}
	return c
}
