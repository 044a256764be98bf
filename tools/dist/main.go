// Command dist makes what berth is installed from, out of programs that were built before: for Linux an archive, a deb and
// an rpm; for Windows a zip with manifests for winget and scoop; for macOS the formula of an archive that a Mac has made;
// of each a bill of materials; and the sums of all. The same programs, version and time give the same bytes.
//
// It is a module of its own: what writes packages is nothing that berth is built from.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	var r release
	var unix int64
	flag.StringVar(&r.version, "version", "", "berth's version")
	flag.Int64Var(&unix, "time", 0, "the time that all files carry, in seconds since 1970: that of the commit")
	flag.StringVar(&r.repo, "repo", ".", "berth's sources")
	flag.StringVar(&r.bin, "bin", "bin", "programs for Linux, the image in vm/, and archives for macOS")
	flag.StringVar(&r.arch, "arch", "amd64", "the architecture of the programs for Linux, as GOARCH")
	flag.StringVar(&r.windows, "windows", "bin/windows-amd64", "programs for Windows on amd64")
	flag.StringVar(&r.out, "o", "bin/dist", "the directory to make anew with all of it")
	flag.Parse()
	r.when = time.Unix(unix, 0).UTC()
	r.notes = os.Stdout
	if err := r.make(); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// make writes everything that can be made here and says of the rest, in a line each, why not.
func (r *release) make() error {
	if r.version == "" || r.when.Unix() <= 0 {
		return fmt.Errorf("-version and -time say what this is: see make dist")
	}
	if err := r.emptyOut(); err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "berth-dist-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	r.stage = stage
	for _, step := range []func() error{r.documents, r.makeLinux, r.makeWindows, r.makeDarwin, r.sums} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// emptyOut takes what an earlier run has left in the directory. One with anything else in it is refused.
func (r *release) emptyOut() error {
	old, err := os.ReadDir(r.out)
	if err == nil && len(old) > 0 {
		if _, err := os.Stat(filepath.Join(r.out, sumsName)); err != nil {
			return fmt.Errorf("%s has files and no %s: it is not a directory of an earlier run; empty it first", r.out, sumsName)
		}
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	// Empty until all is done: by it the next run knows the directory, even if this one fails.
	return os.WriteFile(filepath.Join(r.out, sumsName), nil, 0o644)
}
