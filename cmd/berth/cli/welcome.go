package cli

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// welcome is what a bare berth says: what it is and how to begin.
func welcome(s *session.Session) error {
	_, err := fmt.Fprint(s.Out, `berth runs containers. It speaks docker's commands, flags and API.

To begin:

  berth run -it --rm debian bash        a shell in a fresh Debian
  berth run -d --name web -p 8080:80 nginx
                                        a web server on http://localhost:8080
  berth ps                              what runs
  berth logs -f web                     what it says
  berth exec -it web sh                 a shell inside it
  berth stop web && berth rm web        away with it

Run 'berth --help' for all commands, 'berth COMMAND --help' for one of them.
`)
	return err
}
