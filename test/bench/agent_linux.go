package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// order is one command for an agent: to be run once, or several at the same time.
type order struct {
	Argv  []string
	Env   []string
	Burst int // so many at once, "%d" in Argv standing for the number; 0 is one
}

// report is what an agent says of it.
type report struct {
	Nanos  int64
	Code   int
	Output string
}

// agentMain runs orders from standard input until it ends, and reports on standard output.
func agentMain() int {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			return 0
		}
		if err := out.Encode(carryOut(o)); err != nil {
			return 1
		}
	}
}

func carryOut(o order) report {
	if o.Burst == 0 {
		return runOne(o.Argv, o.Env)
	}
	var wg sync.WaitGroup
	all := make([]report, o.Burst)
	began := time.Now()
	for i := range all {
		argv := make([]string, len(o.Argv))
		for k, a := range o.Argv {
			argv[k] = strings.ReplaceAll(a, "%d", fmt.Sprint(i))
		}
		wg.Go(func() { all[i] = runOne(argv, o.Env) })
	}
	wg.Wait()
	whole := report{Nanos: int64(time.Since(began))}
	for _, r := range all {
		if r.Code != 0 {
			whole.Code, whole.Output = r.Code, r.Output
		}
	}
	return whole
}

// commandBound is how long one command of a peer may take.
const commandBound = 5 * time.Minute

func runOne(argv, env []string) report {
	ctx, cancel := context.WithTimeout(context.Background(), commandBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second // for what a script left in the background with its output
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	began := time.Now()
	err := cmd.Run()
	r := report{Nanos: int64(time.Since(began)), Output: b.String()}
	if err != nil {
		r.Code = 1
		if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() > 0 {
			r.Code = cmd.ProcessState.ExitCode()
		}
		r.Output += err.Error()
	}
	r.Output = r.Output[:min(len(r.Output), 4000)]
	return r
}

// agent is the other end of a helper process.
type agent struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

// newAgent starts a helper in a tree ("" is none), with more in its environment.
func newAgent(tree string, shared []string, env ...string) (*agent, error) {
	args := []string{"agent", tree}
	cmd := exec.Command("/proc/self/exe", append(args, shared...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &agent{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}, nil
}

// do has the helper carry an order out.
func (a *agent) do(o order) (report, error) {
	var r report
	if err := a.enc.Encode(o); err != nil {
		return r, err
	}
	if err := a.dec.Decode(&r); err != nil {
		return r, fmt.Errorf("the helper of %v: %w", o.Argv, err)
	}
	if r.Code != 0 {
		return r, fmt.Errorf("%s: exit code %d: %s", strings.Join(o.Argv, " "), r.Code, strings.TrimSpace(r.Output))
	}
	return r, nil
}

func (a *agent) close() {
	a.in.Close()
	a.cmd.Wait()
}
