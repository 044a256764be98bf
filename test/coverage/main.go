// Command coverage writes docs/api-coverage.md: what of moby's API berth serves and which test exercises it. With an
// argument, the directory where tests have recorded (see package record), it first makes the list of evidence anew.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/api"
)

// The files, from the module's directory.
const (
	documentFile = "docs/api-coverage.md"
	evidenceFile = "test/coverage/evidence.tsv"
	handlersDir  = "guestagent/engine/api"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	t, err := read(".")
	if err != nil {
		return err
	}
	if len(args) > 0 {
		d, err := moby(".")
		if err != nil {
			return err
		}
		if t.evidence, err = gather(args[0], d, t.all); err != nil {
			return err
		}
		if err := t.evidence.write(evidenceFile); err != nil {
			return err
		}
	}
	return os.WriteFile(documentFile, []byte(t.render()), 0o644)
}

// moby reads the document of the module's version that berth is built with.
func moby(module string) (*document, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/moby/api")
	cmd.Dir = module
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("finding moby's module: %w", err)
	}
	return load(filepath.Join(strings.TrimSpace(string(out)), "swagger.yaml"))
}

// read makes the table from what is committed.
func read(module string) (*table, error) {
	d, err := moby(module)
	if err != nil {
		return nil, err
	}
	t := &table{version: d.Info.Version}
	t.all, _ = endpoints(d, api.Routes())
	if t.source, err = readSource(filepath.Join(module, handlersDir)); err != nil {
		return nil, err
	}
	t.evidence, err = readEvidence(filepath.Join(module, evidenceFile))
	if os.IsNotExist(err) {
		err = nil
	}
	return t, err
}
