package main

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// release is one run.
type release struct {
	version string    // as git describes it
	when    time.Time // of the commit; every file's
	repo    string    // the sources
	bin     string    // programs for Linux
	arch    string    // their GOARCH
	windows string    // programs for Windows
	out     string
	stage   string // for what is written on the way
	fast    bool   // tests do not compress packages
	notes   io.Writer
}

// entry is a file of an archive or package: its slash-separated path there and, unless it is a link, the file it is made of.
type entry struct {
	path, source, link string
	mode               fs.FileMode
}

func (r *release) note(format string, args ...any) { fmt.Fprintf(r.notes, format+"\n", args...) }

// wrote names a file that is done.
func (r *release) wrote(path string) { r.note("%s", filepath.Join(r.out, filepath.Base(path))) }

var (
	tagged = regexp.MustCompile(`^v?([0-9]+\.[0-9]+\.[0-9]+)(?:-([0-9A-Za-z.]+))??(?:-([0-9]+)-g([0-9a-f]+))?(-dirty)?$`)
	unsafe = regexp.MustCompile(`[^0-9A-Za-z.~+]+`)
)

// packageVersion orders versions as dpkg and rpm do: 1.2.0~rc1 < 1.2.0 < 1.2.0+3.gabcdef (three commits later). What has no
// tag is before every release, by its time.
func (r *release) packageVersion() string {
	m := tagged.FindStringSubmatch(r.version)
	if m == nil {
		return "0.0.0~" + r.when.Format("20060102150405") + "." + unsafe.ReplaceAllString(r.version, ".")
	}
	v := m[1]
	if m[2] != "" {
		v += "~" + m[2]
	}
	if m[3] != "" {
		v += "+" + m[3] + ".g" + m[4]
	}
	if m[5] != "" {
		v += "+dirty"
	}
	return v
}

// fileVersion is the version in names of files.
func (r *release) fileVersion() string {
	return strings.TrimPrefix(unsafe.ReplaceAllString(r.version, "-"), "v")
}
