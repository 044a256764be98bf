package hostagent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/berthhq/berth/hostagent/fileshare"
	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/paths"
)

// shareStreams are the streams that carry a share's requests, beside the one of its notices.
const shareStreams = 4

// shares are the directories of the host that a guest sees, each with a file server of its own. The guest's boot names
// their sessions: an agent that comes anew goes on with what its predecessor has told the guest.
type shares struct {
	guest  transport.Dialer
	layout paths.Machine
	log    *slog.Logger
	table  *fileshare.Table

	mu   sync.Mutex
	boot string
	open map[string]*served // by name
}

// served is one share on its way to the guest. ready is closed once the guest has it, or err says why it has not.
type served struct {
	ready chan struct{}
	err   error
}

// newShares makes the table: what a person chose, a path a line, or else their home and the directory of temporary files.
func newShares(guest transport.Dialer, l paths.Machine, chosen string, log *slog.Logger) (*shares, error) {
	var dirs []string
	for _, d := range strings.Split(chosen, "\n") {
		if d != "" {
			dirs = append(dirs, d)
		}
	}
	if len(dirs) == 0 {
		if home, err := os.UserHomeDir(); err == nil {
			dirs = append(dirs, home)
		}
		dirs = append(dirs, os.TempDir())
	}
	var list []fileshare.Share
	for _, d := range dirs {
		list = append(list, fileshare.Share{Name: shareName(d), Path: d})
	}
	table, err := fileshare.NewTable(runtime.GOOS, list)
	if err != nil {
		return nil, err
	}
	return &shares{guest: guest, layout: l, log: log, table: table, open: map[string]*served{}}, nil
}

// shareName is a directory's name in the guest: its path, with what separates its parts changed.
func shareName(path string) string {
	name := strings.Trim(strings.NewReplacer("/", "-", `\`, "-", ":", "").Replace(filepath.ToSlash(path)), "-")
	if name == "" {
		return "root"
	}
	return name
}

// linked hears of the guest's boot: what is served from here on is that one's.
func (s *shares) linked(boot string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot = boot
}

// find says where a path of the host is in the guest, and serves its share from then on until ctx ends.
func (s *shares) find(ctx, life context.Context, q agentapi.PathQuery) (agentapi.PathAnswer, error) {
	share, rel, err := s.table.Resolve(q.Path)
	if err != nil {
		return agentapi.PathAnswer{}, agentapi.Errorf(agentapi.CodeInvalid, "%s", err.Error())
	}
	if err := present(share.Path, rel, q); err != nil {
		return agentapi.PathAnswer{}, err
	}
	one := s.serve(life, share)
	select {
	case <-one.ready:
		return agentapi.PathAnswer{Share: share.Name, Rel: rel}, one.err
	case <-ctx.Done():
		return agentapi.PathAnswer{}, ctx.Err()
	}
}

// present says whether there is something at a place of a share, and makes a directory there where that is asked for. The
// guest asks, and it can make links in the share: nothing is followed out of it.
func present(dir, rel string, q agentapi.PathQuery) error {
	if info, err := os.Stat(dir); rel == "" && err == nil && !info.IsDir() {
		return nil // a share that is one file
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return agentapi.Errorf(agentapi.CodeFailed, "sharing %s: %v", dir, err)
	}
	defer root.Close()
	rel = filepath.FromSlash(rel)
	if rel == "" {
		rel = "."
	}
	_, err = root.Stat(rel)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist) && q.Make:
		err = root.MkdirAll(rel, 0o755)
	case errors.Is(err, fs.ErrNotExist):
		return agentapi.Errorf(agentapi.CodeNotFound, "%s does not exist", q.Path)
	}
	if err != nil {
		return agentapi.Errorf(agentapi.CodeFailed, "%s: %v", q.Path, err)
	}
	return nil
}

// serve begins to serve a share, once.
func (s *shares) serve(life context.Context, share fileshare.Share) *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.open[share.Name]; one != nil {
		return one
	}
	one := &served{ready: make(chan struct{})}
	s.open[share.Name] = one
	boot := s.boot
	go func() {
		one.err = s.connect(life, share, boot)
		if one.err != nil { // the next who asks tries again
			s.mu.Lock()
			delete(s.open, share.Name)
			s.mu.Unlock()
		}
		close(one.ready)
	}()
	return one
}

// connect brings a share to the guest; it stays until life ends.
func (s *shares) connect(life context.Context, share fileshare.Share, boot string) error {
	server, err := fileshare.New(fileshare.Options{
		Path: share.Path, ReadOnly: share.ReadOnly, Owners: s.layout.ShareOwners(share.Name), Journal: s.journal(share.Name, boot),
	})
	if err != nil {
		return agentapi.Errorf(agentapi.CodeFailed, "sharing %s: %v", share.Path, err)
	}
	wait, err := server.Connect(life, fileshare.Link{
		Share: share.Name, Session: boot, Workers: shareStreams,
		Dial:   func(ctx context.Context) (io.ReadWriteCloser, error) { return s.guest.Dial(ctx, agentapi.PortFiles) },
		Report: func(err error) { s.log.Warn("share", "path", share.Path, "error", err) },
	})
	if err != nil {
		return agentapi.Errorf(agentapi.CodeFailed, "sharing %s: %v", share.Path, errors.Join(err, server.Close()))
	}
	context.AfterFunc(life, func() {
		wait()
		_ = server.Close()
	})
	return nil
}

// journal is the file by which a server goes on with this boot of the guest; those of boots before are of no use.
func (s *shares) journal(name, boot string) string {
	file := s.layout.ShareJournal(name, boot)
	old, _ := filepath.Glob(s.layout.ShareJournal(name, "*"))
	for _, f := range old {
		if f != file {
			_ = os.Remove(f)
		}
	}
	return file
}
