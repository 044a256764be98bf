package main

import (
	"os"
	"path/filepath"

	"github.com/berthhq/berth/cmd/berth/cli"
	"github.com/berthhq/berth/cmd/berth/cli/system"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// documents writes into the stage what the tree of verbs gives: manual pages and completions; and the unit of systemd.
func (r *release) documents() error {
	for _, d := range []string{"man", "completions"} {
		if err := os.MkdirAll(filepath.Join(r.stage, d), 0o755); err != nil {
			return err
		}
	}
	root := cli.Tree()
	root.InitDefaultCompletionCmd() // so that it has a page too
	if err := r.completions(root); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it has today's date
	head := &doc.GenManHeader{Section: "1", Date: &r.when, Source: "berth " + r.fileVersion(), Manual: "berth"}
	if err := doc.GenManTree(root, head, filepath.Join(r.stage, "man")); err != nil {
		return err
	}
	unit := system.Unit(libexec + "/berth-engine")
	return os.WriteFile(filepath.Join(r.stage, "berth.service"), []byte(unit), 0o644)
}

func (r *release) completions(root *cobra.Command) error {
	dir := filepath.Join(r.stage, "completions")
	for name, write := range map[string]func(string) error{
		"berth.bash": func(f string) error { return root.GenBashCompletionFileV2(f, true) },
		"_berth":     root.GenZshCompletionFile,
		"berth.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
		"berth.ps1":  root.GenPowerShellCompletionFileWithDesc,
	} {
		if err := write(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// manual is the pages as entries in a directory of an archive.
func (r *release) manual(dir string) ([]entry, error) {
	pages, err := os.ReadDir(filepath.Join(r.stage, "man"))
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, p := range pages {
		out = append(out, entry{path: dir + "/" + p.Name(), source: filepath.Join(r.stage, "man", p.Name()), mode: 0o644})
	}
	return out, nil
}
