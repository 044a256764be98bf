package contexts

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newCreate(s *session.Session) *cobra.Command {
	var description, docker, from string
	c := &cobra.Command{Use: "create [OPTIONS] CONTEXT", Short: "Create a context", Args: cobra.ExactArgs(1)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		made := endpoint.Context{Name: args[0], Description: description}
		var tls endpoint.TLSFiles
		var err error
		switch {
		case docker != "" && from != "":
			return errdefs.Invalid("cannot use --docker flag when --from is set")
		case docker != "":
			tls, err = parseDocker(&made, docker)
		default:
			tls, err = copied(s, &made, from)
		}
		if err != nil {
			return err
		}
		if err := store(s).Create(made); err != nil {
			return err
		}
		if err := store(s).SaveTLS(made.Name, tls); err != nil {
			_ = store(s).Remove(made.Name) // the error that led here is the one to tell
			return err
		}
		fmt.Fprintln(s.Out, made.Name)
		fmt.Fprintf(s.Err, "Successfully created context %q\n", made.Name)
		return nil
	}
	f := c.Flags()
	f.StringVar(&description, "description", "", "Description of the context")
	f.StringVar(&docker, "docker", "", "Set the engine's address: host=,ca=,cert=,key=,skip-tls-verify=")
	f.StringVar(&from, "from", "", "Create context from a named context")
	return c
}

// copied takes the address and the certificates of another context, the current one where from is empty.
func copied(s *session.Session, c *endpoint.Context, from string) (endpoint.TLSFiles, error) {
	if from == "" {
		var err error
		if from, err = current(s); err != nil {
			return endpoint.TLSFiles{}, err
		}
	}
	other, err := get(s, from)
	if err != nil {
		return endpoint.TLSFiles{}, err
	}
	c.Host, c.SkipTLSVerify = other.Host, other.SkipTLSVerify
	if tls := store(s).TLS(other); tls != nil {
		return *tls, nil
	}
	return endpoint.TLSFiles{}, nil
}

// parseDocker reads the value of --docker: "host=tcp://x:2376,ca=/ca.pem,…".
func parseDocker(c *endpoint.Context, value string) (tls endpoint.TLSFiles, err error) {
	fields, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		return tls, errdefs.Invalid("invalid value %q for --docker: %w", value, err)
	}
	for _, field := range fields {
		key, v, ok := strings.Cut(field, "=")
		if !ok {
			return tls, errdefs.Invalid("invalid field %q in --docker: must be key=value", field)
		}
		switch strings.ToLower(key) {
		case "host":
			if c.Host, err = endpoint.ParseHost(v); err != nil {
				return tls, err
			}
		case "ca":
			tls.CA = v
		case "cert":
			tls.Cert = v
		case "key":
			tls.Key = v
		case "skip-tls-verify":
			if c.SkipTLSVerify, err = strconv.ParseBool(v); err != nil {
				return tls, errdefs.Invalid("skip-tls-verify: %q is neither true nor false", v)
			}
		default:
			return tls, errdefs.Invalid("unrecognized config key: %s", key)
		}
	}
	if c.Host == "" {
		return tls, errdefs.Invalid("docker endpoint configuration is required: --docker has no host=")
	}
	return tls, nil
}
