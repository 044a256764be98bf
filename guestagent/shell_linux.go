package guestagent

import (
	"fmt"
	"os"

	"github.com/berthhq/berth/guestagent/shell"
	"golang.org/x/sys/unix"
)

// shellProgram is there for people who look into the machine; no duty of the guest's needs it. Its commands are its own,
// found without a name in a directory.
const shellProgram = "/usr/lib/berth/shell/busybox"

// startShell runs a program for somebody who looks into the machine. It is the first to go when memory is short.
func (a *agent) startShell(p shell.Program) (shell.Process, error) {
	argv := []string{shellProgram, "sh"}
	if len(p.Args) > 0 {
		argv = append(argv, "-c", `exec "$@"`, "sh")
	}
	env := []string{searchPath, "HOME=/root", "TMPDIR=/var/tmp", "USER=root"}
	if p.Term != "" {
		env = append(env, "TERM="+p.Term)
	}
	pid, end, err := a.reaper.start(program{
		argv: append(argv, p.Args...), env: env, stdin: p.Stdin, stdout: p.Stdout, stderr: p.Stderr, terminal: p.Terminal,
	})
	if err != nil {
		return shell.Process{}, err
	}
	complain(os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0))
	return shell.Process{Ended: end, Signal: func(sig unix.Signal) { a.reaper.signal(pid, sig) }}, nil
}
