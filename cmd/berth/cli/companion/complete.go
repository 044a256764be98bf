package companion

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// completeBound is how long a shell waits for a companion's proposals.
const completeBound = 5 * time.Second

// complete asks the companion what a word that was begun could become: it is a program of cobra too.
func complete(ctx context.Context, s *session.Session, program string, words []string) ([]string, cobra.ShellCompDirective) {
	path, err := find(program)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ep, err := s.Endpoint()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(ctx, completeBound)
	defer cancel()
	argv := slices.Concat(tlsArgs(s.TLS, ep), []string{cobra.ShellCompRequestCmd}, words)
	cmd := exec.CommandContext(ctx, path, argv...)
	cmd.Env = environment(os.Environ(), ep, s.ConfigDir(), s.TLS)
	out, err := cmd.Output()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return proposals(string(out))
}

// proposals reads what a completion of cobra prints: a line for each, and last the directive, ":4".
func proposals(out string) ([]string, cobra.ShellCompDirective) {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	last := lines[len(lines)-1]
	n, err := strconv.Atoi(strings.TrimPrefix(last, ":"))
	if err != nil || !strings.HasPrefix(last, ":") {
		return nil, cobra.ShellCompDirectiveError
	}
	return lines[:len(lines)-1], cobra.ShellCompDirective(n)
}
