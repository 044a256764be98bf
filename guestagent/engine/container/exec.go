//go:build linux

package container

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// execKept is how long the result of an execution can be asked for, docker's time.
const execKept = 5 * time.Minute

// execution is a process that is to be, is or was exec'd in a container. Service.mu guards it, but for what it was
// made from.
type execution struct {
	id        string
	container *entry
	req       container.ExecCreateRequest
	keys      []byte

	started bool
	running bool
	pid     int
	code    *int
	done    chan struct{} // closed when it has ended
}

// ExecCreate prepares a process in a running container.
func (s *Service) ExecCreate(_ context.Context, ref string, req *container.ExecCreateRequest) (string, error) {
	e, err := s.find(ref)
	if err != nil {
		return "", err
	}
	r := e.snapshot()
	if err := execable(ref, &r); err != nil {
		return "", err
	}
	if len(req.Cmd) == 0 || req.Cmd[0] == "" && len(req.Cmd) == 1 {
		return "", errdefs.Invalid("No exec command specified")
	}
	if err := userKnown(&r, req.User); err != nil {
		return "", err
	}
	keys, err := detachKeys(req.DetachKeys, req.Tty && req.AttachStdin)
	if err != nil {
		return "", err
	}
	id, err := newID()
	if err != nil {
		return "", err
	}
	x := &execution{id: id, container: e, req: *req, keys: keys, done: make(chan struct{})}
	s.mu.Lock()
	s.execs[id] = x
	s.mu.Unlock()
	s.publish(&r, "exec_create: "+strings.Join(req.Cmd, " "), "execID", id)
	return id, nil
}

func execable(ref string, r *Record) error {
	switch r.State.Status {
	case container.StateRunning:
		return nil
	case container.StatePaused:
		return errdefs.Conflict("Container %s is paused, unpause the container before exec", ref)
	case container.StateRestarting:
		return errdefs.Conflict("Container %s is restarting, wait until the container is running", ref)
	}
	return errdefs.Conflict("container %s is not running", r.ID)
}

// userKnown refuses a user or group that the container's files do not have; they may change until the start, which
// looks once more. A container that has ended meanwhile is the start's to refuse.
func userKnown(r *Record, name string) error {
	if name == "" {
		return nil
	}
	root, err := os.OpenFile(fmt.Sprintf("/proc/%d/root", r.State.Pid), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil
	}
	defer root.Close()
	if _, _, err := identity.Lookup(root, name); err != nil {
		return errdefs.Invalid("%w", err)
	}
	return nil
}

func (s *Service) execution(id string) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.execs[id]; x != nil {
		return x, nil
	}
	return nil, errdefs.NotFound("No such exec instance: %s", id)
}

// ExecStart starts a prepared process. A client that wants its streams gets them, and failures to start as output too,
// as docker does; the exit code tells which it was.
func (s *Service) ExecStart(ctx context.Context, id string, req *container.ExecStartRequest, hijack func(mux bool) Hijack) error {
	x, err := s.execution(id)
	if err != nil {
		return err
	}
	r := x.container.snapshot()
	if err := execable(r.ID, &r); err != nil {
		return err
	}
	s.mu.Lock()
	again := x.started
	x.started = true
	s.mu.Unlock()
	if again {
		return errdefs.Conflict("Error: Exec command %s has already run", id)
	}
	tty := req.Tty // as docker: how the stream is framed is said at the start
	s.publish(&r, "exec_start: "+strings.Join(x.req.Cmd, " "), "execID", id)
	if req.Detach {
		return s.runExec(ctx, x, &r, req, nil, nil)
	}
	conn, preface, err := hijack(!tty)()
	if err != nil {
		return err
	}
	spare := duplicate(conn)
	defer func() {
		if spare != nil {
			spare.Close()
		}
	}()
	a := &proto.Attach{
		Stdin: x.req.AttachStdin, Stdout: x.req.AttachStdout, Stderr: x.req.AttachStderr, Mux: !tty, DetachKeys: x.keys, Preface: preface,
	}
	if err := s.runExec(ctx, x, &r, req, a, conn); err != nil && spare != nil {
		tell(spare, tty, err)
	}
	return nil
}

// duplicate keeps a hand on a connection that is given away, to tell of a failure.
func duplicate(conn net.Conn) net.Conn {
	f, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		return nil
	}
	file, err := f.File()
	if err != nil {
		return nil
	}
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil
	}
	return c
}

func tell(c net.Conn, tty bool, err error) {
	msg := []byte(err.Error() + "\r\n")
	if !tty {
		// A frame of docker's multiplexed stream: stream 1 (stdout), three zeros, the length.
		msg = append(binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0}, uint32(len(msg))), msg...)
	}
	c.Write(msg)
}

func (s *Service) runExec(ctx context.Context, x *execution, r *Record, req *container.ExecStartRequest, a *proto.Attach, conn net.Conn) error {
	_, links, err := s.linked(r)
	if err != nil {
		links = nil // of a container that ended meanwhile
	}
	in := runtime.ExecInput{
		Args: x.req.Cmd, Env: runtime.MergeEnv(runtime.MergeEnv(links, r.Config.Env), x.req.Env), User: x.req.User, WorkingDir: x.req.WorkingDir,
		Terminal: x.req.Tty, Stdin: x.req.AttachStdin && a != nil, Privileged: x.req.Privileged,
	}
	size := req.ConsoleSize
	if size == nil {
		size = x.req.ConsoleSize
	}
	if size != nil {
		in.Height, in.Width = uint16(size[0]), uint16(size[1])
	}
	base := runtime.Input{ID: r.ID, Config: r.Config, Host: r.Host, Hostname: r.Config.Hostname}
	s.mu.Lock()
	x.running = true
	s.mu.Unlock()
	st, err := s.Runtime.Exec(context.WithoutCancel(ctx), r.ID, x.id, base, in, a, conn)
	if err != nil {
		code := startCode(err)
		s.finishExec(x, code)
		return execError(err)
	}
	s.mu.Lock()
	x.pid = st.Pid
	s.mu.Unlock()
	return nil
}

func execError(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	return errdefs.Invalid("OCI runtime exec failed: exec failed: unable to start container process: %w", err)
}

// execEnded takes note of the end of an exec'd process.
func (s *Service) execEnded(st *proto.State) {
	x, err := s.execution(st.ExecID)
	if err == nil {
		s.finishExec(x, st.ExitCode)
		r := x.container.snapshot()
		s.publish(&r, "exec_die", "execID", x.id, "exitCode", fmt.Sprint(st.ExitCode))
	}
	s.tasks.Go(func() { s.Runtime.Release(s.ctx, st.ID, st.ExecID) })
}

// finishExec records an exit code, once.
func (s *Service) finishExec(x *execution, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.code != nil {
		return
	}
	x.code, x.running = &code, false
	close(x.done)
	time.AfterFunc(execKept, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.execs, x.id)
	})
}

// overtake learns of an end whose event is still under way: a client sees its streams close, asks at once, and must be
// told the exit code.
func (s *Service) overtake(ctx context.Context, x *execution, containerID string) {
	s.mu.Lock()
	running := x.running
	s.mu.Unlock()
	if !running {
		return
	}
	st, err := s.Runtime.State(ctx, containerID, x.id)
	if err == nil && st.Status == proto.StatusExited {
		s.finishExec(x, st.ExitCode)
	}
}

// endExecs ends what a container that ended leaves of its executions.
func (s *Service) endExecs(e *entry) {
	s.mu.Lock()
	var open []*execution
	for id, x := range s.execs {
		switch {
		case x.container != e:
		case x.running:
			open = append(open, x)
		case !x.started:
			delete(s.execs, id)
		}
	}
	s.mu.Unlock()
	for _, x := range open {
		s.finishExec(x, 137)
	}
}

// ExecInspect tells the state of an execution.
func (s *Service) ExecInspect(ctx context.Context, id string) (*container.ExecInspectResponse, error) {
	x, err := s.execution(id)
	if err != nil {
		return nil, err
	}
	r := x.container.snapshot()
	s.overtake(ctx, x, r.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	privileged := x.req.Privileged
	return &container.ExecInspectResponse{
		ID: x.id, Running: x.running, ExitCode: x.code, ContainerID: r.ID, Pid: x.pid, DetachKeys: append([]byte{}, x.keys...), // "", never null
		OpenStdin: x.req.AttachStdin, OpenStdout: x.req.AttachStdout, OpenStderr: x.req.AttachStderr,
		ProcessConfig: &container.ExecProcessConfig{
			Tty: x.req.Tty, Entrypoint: x.req.Cmd[0], Arguments: append([]string{}, x.req.Cmd[1:]...), Privileged: &privileged, User: x.req.User,
		},
	}, nil
}

// ExecResize sets the size of an execution's terminal, in characters.
func (s *Service) ExecResize(ctx context.Context, id string, height, width uint16) error {
	x, err := s.execution(id)
	if err != nil {
		return err
	}
	r := x.container.snapshot()
	if !r.State.running() {
		return errdefs.Conflict("container %s is not running", r.ID)
	}
	return s.Runtime.Resize(ctx, r.ID, id, height, width)
}

// adoptExecs takes up what an engine before this one exec'd: who waits for an exit code still gets it. What was asked
// of them, the former engine alone knew.
func (s *Service) adoptExecs(known map[string]*proto.State) {
	for id, st := range known {
		e, err := s.find(id)
		if err != nil {
			continue
		}
		for i := range st.Execs {
			ex := &st.Execs[i]
			x := &execution{id: ex.ExecID, container: e, started: true, running: true, pid: ex.Pid, done: make(chan struct{})}
			x.req.Cmd = []string{""}
			s.mu.Lock()
			s.execs[x.id] = x
			s.mu.Unlock()
			if ex.Status == proto.StatusExited {
				s.execEnded(ex)
			}
		}
	}
}
