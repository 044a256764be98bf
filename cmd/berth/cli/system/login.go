package system

import (
	"fmt"
	"io"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	configtypes "github.com/docker/cli/cli/config/types"
	"github.com/moby/moby/client"
	"github.com/moby/term"
	"github.com/spf13/cobra"
)

func newLogin(s *session.Session) *cobra.Command {
	var user, password string
	var stdin bool
	c := &cobra.Command{Use: "login [OPTIONS] [SERVER]", Short: "Authenticate to a registry", Args: cobra.MaximumNArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		server := image.IndexServer
		if len(args) == 1 && args[0] != "docker.io" {
			server = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(args[0], "https://"), "http://"), "/")
		}
		if stdin {
			if user == "" {
				return errdefs.Invalid("the --password-stdin option requires --username")
			}
			b, err := io.ReadAll(s.In)
			if err != nil {
				return err
			}
			password = strings.TrimRight(string(b), "\r\n")
		} else if password != "" {
			fmt.Fprintln(s.Err, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
		}
		if err := ask(s, &user, &password); err != nil {
			return err
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.RegistryLogin(c.Context(), client.RegistryLoginOptions{Username: user, Password: password, ServerAddress: server})
		if err != nil {
			return err
		}
		entry := configtypes.AuthConfig{Username: user, Password: password, ServerAddress: server}
		if r.Auth.IdentityToken != "" {
			entry.Password, entry.IdentityToken = "", r.Auth.IdentityToken
		}
		if err := s.Credentials().GetCredentialsStore(server).Store(entry); err != nil {
			return fmt.Errorf("saving the credentials of %s: %w", server, err)
		}
		fmt.Fprintln(s.Out, "Login Succeeded")
		return nil
	}
	f := c.Flags()
	f.StringVarP(&user, "username", "u", "", "Username")
	f.StringVarP(&password, "password", "p", "", "Password or Personal Access Token (PAT)")
	f.BoolVar(&stdin, "password-stdin", false, "Take the Password or Personal Access Token (PAT) from stdin")
	return c
}

// ask asks a person for what is missing.
func ask(s *session.Session, user, password *string) error {
	fd, ok := s.InTerminal()
	if (*user == "" || *password == "") && !ok {
		return errdefs.Invalid("cannot perform an interactive login from a non TTY device").WithHint("Use --username and --password-stdin.")
	}
	if *user == "" {
		fmt.Fprint(s.Out, "Username: ")
		fmt.Fscanln(s.In, user)
	}
	if *password == "" {
		fmt.Fprint(s.Out, "Password: ")
		state, err := term.SaveState(fd)
		if err != nil {
			return err
		}
		term.DisableEcho(fd, state)
		fmt.Fscanln(s.In, password)
		term.RestoreTerminal(fd, state)
		fmt.Fprintln(s.Out)
	}
	if *user == "" || *password == "" {
		return errdefs.Invalid("username and password are required")
	}
	return nil
}
