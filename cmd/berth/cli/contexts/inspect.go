package contexts

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/spf13/cobra"
)

// described is a context as docker prints it.
type described struct {
	Name        string
	Metadata    map[string]any
	Endpoints   map[string]address
	TLSMaterial map[string][]string
	Storage     struct{ MetadataPath, TLSPath string }
}

type address struct {
	Host          string
	SkipTLSVerify bool
}

func newInspect(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "inspect [OPTIONS] [CONTEXT] [CONTEXT...]", Short: "Display detailed information on one or more contexts", Args: cobra.ArbitraryArgs, ValidArgsFunction: complete(s)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			name, err := current(s)
			if err != nil {
				return err
			}
			args = []string{name}
		}
		return s.Inspect(args, format, func(name string) (session.Object, error) {
			d, err := describe(s, name)
			if err != nil {
				return session.Object{}, err
			}
			raw, err := json.Marshal(d)
			return session.Object{Raw: raw, Typed: d}, err
		})
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}

func describe(s *session.Session, name string) (described, error) {
	c, err := get(s, name)
	if err != nil {
		return described{}, err
	}
	d := described{
		Name: name, Metadata: map[string]any{}, TLSMaterial: map[string][]string{},
		Endpoints: map[string]address{"docker": {Host: c.Host, SkipTLSVerify: c.SkipTLSVerify}},
	}
	if name == endpoint.DefaultContext {
		d.Storage.MetadataPath, d.Storage.TLSPath = "<IN MEMORY>", "<IN MEMORY>"
		return d, nil
	}
	if c.Description != "" {
		d.Metadata["Description"] = c.Description
	}
	d.Storage.MetadataPath, d.Storage.TLSPath = store(s).MetadataPath(name), store(s).TLSPath(name)
	files, err := os.ReadDir(filepath.Join(d.Storage.TLSPath, "docker"))
	if err != nil {
		return d, nil // none
	}
	for _, f := range files {
		d.TLSMaterial["docker"] = append(d.TLSMaterial["docker"], f.Name())
	}
	return d, nil
}
