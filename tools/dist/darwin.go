package main

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed berth.rb.tmpl
var formulaText string

// makeDarwin takes the archives that Macs have made (make dist-darwin) and writes the formula of Homebrew that fetches them.
func (r *release) makeDarwin() error {
	archives := map[string]string{} // Homebrew's word for the processor, and the digest
	for arch, block := range map[string]string{"arm64": "Arm", "amd64": "Intel"} {
		name := "berth-darwin-" + arch + ".tar.gz"
		made := filepath.Join(r.bin, name)
		if _, err := os.Stat(made); os.IsNotExist(err) {
			continue
		}
		if err := os.Link(made, filepath.Join(r.out, name)); err != nil {
			return err
		}
		sum, err := digest(made)
		if err != nil {
			return err
		}
		archives[block] = sum
		r.wrote(name)
	}
	if len(archives) == 0 {
		r.note("darwin: left out the archives and the formula: a Mac makes the archive (make dist-darwin)")
		return nil
	}
	t, err := template.New("formula").Parse(formulaText)
	if err != nil {
		return err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Summary": summary, "Homepage": homepage, "License": license, "Version": r.fileVersion(), "Sums": archives,
		"ArmURL": r.url("berth-darwin-arm64.tar.gz"), "IntelURL": r.url("berth-darwin-amd64.tar.gz"),
	})
	if err != nil {
		return err
	}
	return r.manifest("homebrew/berth.rb", b.String())
}
