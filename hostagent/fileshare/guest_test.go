package fileshare

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/fusewire"
)

// guest speaks to a server as a hostile kernel would: it sends what it likes.
type guest struct {
	t      testing.TB
	s      *Server
	stream net.Conn
	unique uint64
	base   string // holds the share and, beside it, what must not be reached
}

const canary = "outside of the share"

func hostile(t testing.TB, o Options) *guest {
	t.Helper()
	g := &guest{t: t, base: t.TempDir()}
	for name, text := range map[string]string{"secret": canary, "share/file": "inside", "share/dir/deep": "inside"} {
		p := filepath.Join(g.base, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"out": "../secret", "abs": filepath.Join(g.base, "secret"), "up": "..", "in": "dir"} {
		if err := os.Symlink(target, filepath.Join(g.base, "share", name)); err != nil {
			t.Fatal(err)
		}
	}
	o.Path = filepath.Join(g.base, "share")
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeWorker(theirs); _ = theirs.Close() }()
	t.Cleanup(func() {
		_ = ours.Close()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		g.unharmed()
	})
	g.s, g.stream = s, ours
	return g
}

// unharmed checks what stands beside the share.
func (g *guest) unharmed() {
	b, err := os.ReadFile(filepath.Join(g.base, "secret"))
	if err != nil || string(b) != canary {
		g.t.Errorf("the file outside of the share: %q, %v", b, err)
	}
	entries, err := os.ReadDir(g.base)
	if err != nil || len(entries) != 2 {
		g.t.Errorf("beside the share stand %v, %v", entries, err)
	}
}

// ask sends a request and returns its answer's error and body.
func (g *guest) ask(op fusewire.Opcode, node uint64, body []byte) (fusewire.Errno, []byte) {
	g.t.Helper()
	g.unique++
	_ = g.stream.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := g.stream.Write(fusewire.AppendRequest(nil, fusewire.Header{Op: op, Unique: g.unique, Node: node}, body)); err != nil {
		g.t.Fatal(err)
	}
	if op.Silent() {
		return fusewire.OK, nil
	}
	msg, err := fusewire.ReadMessage(g.stream, nil, fusewire.ReplyHeader)
	if err != nil {
		g.t.Fatalf("request %d: %v", op, err)
	}
	if u := binary.LittleEndian.Uint64(msg[8:]); u != g.unique {
		g.t.Fatalf("an answer to %d, asked was %d", u, g.unique)
	}
	return fusewire.Errno(-int32(binary.LittleEndian.Uint32(msg[4:]))), msg[fusewire.ReplyHeader:]
}

func text(parts ...string) (b []byte) {
	for _, p := range parts {
		b = append(append(b, p...), 0)
	}
	return b
}

func words(v ...uint64) (b []byte) {
	for _, w := range v {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// lookup finds a node that must be there.
func (g *guest) lookup(parent uint64, name string) uint64 {
	g.t.Helper()
	e, b := g.ask(fusewire.OpLookup, parent, text(name))
	if e != fusewire.OK {
		g.t.Fatalf("looking up %s: %v", name, e)
	}
	return binary.LittleEndian.Uint64(b)
}

func TestNamesThatLeadOut(t *testing.T) {
	g := hostile(t, Options{})
	for _, name := range []string{"..", ".", "", "../secret", "dir/../../secret", "/etc/passwd", "dir/deep", "a/"} {
		for _, op := range []fusewire.Opcode{fusewire.OpLookup, fusewire.OpUnlink, fusewire.OpRmdir} {
			if e, _ := g.ask(op, 1, text(name)); e != fusewire.EINVAL {
				t.Errorf("request %d for %q: %v", op, name, e)
			}
		}
		if e, _ := g.ask(fusewire.OpMkdir, 1, append(make([]byte, 8), text(name)...)); e != fusewire.EINVAL {
			t.Errorf("mkdir %q: %v", name, e)
		}
		if e, _ := g.ask(fusewire.OpCreate, 1, append(make([]byte, 16), text(name)...)); e != fusewire.EINVAL {
			t.Errorf("create %q: %v", name, e)
		}
		if e, _ := g.ask(fusewire.OpRename, 1, append(words(1), text("file", name)...)); e != fusewire.EINVAL {
			t.Errorf("rename to %q: %v", name, e)
		}
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	g := hostile(t, Options{})
	for _, name := range []string{"out", "abs", "up", "in"} {
		id := g.lookup(1, name)
		if e, _ := g.ask(fusewire.OpOpen, id, words(0)); e == fusewire.OK {
			t.Errorf("%s: a link is opened", name)
		}
		for _, below := range []string{"secret", "deep"} {
			if e, _ := g.ask(fusewire.OpLookup, id, text(below)); e == fusewire.OK {
				t.Errorf("%s/%s is found through a link", name, below)
			}
		}
		if e, _ := g.ask(fusewire.OpCreate, id, append(make([]byte, 16), text("new")...)); e == fusewire.OK {
			t.Errorf("%s: a file is made through a link", name)
		}
	}
	if e, _ := g.ask(fusewire.OpCreate, 1, append(words(1, 0), text("out")...)); e == fusewire.OK {
		t.Error("create opens what a link leads to")
	}
}

// TestSwappedForALink puts a link where a directory was, as another process of the host, or the guest, would.
func TestSwappedForALink(t *testing.T) {
	g := hostile(t, Options{})
	dir := g.lookup(1, "dir")
	share := filepath.Join(g.base, "share")
	for range 50 {
		if err := os.Rename(filepath.Join(share, "dir"), filepath.Join(share, "was")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..", filepath.Join(share, "dir")); err != nil {
			t.Fatal(err)
		}
		if e, b := g.ask(fusewire.OpLookup, dir, text("secret")); e == fusewire.OK && len(b) > 8 && binary.LittleEndian.Uint64(b) != 0 {
			t.Fatal("the file outside is found through the swapped directory")
		}
		if e, _ := g.ask(fusewire.OpMkdir, dir, append(make([]byte, 8), text("planted")...)); e == fusewire.OK {
			g.unharmed()
			_ = os.Remove(filepath.Join(share, "was", "planted"))
		}
		if err := errors.Join(os.Remove(filepath.Join(share, "dir")), os.Rename(filepath.Join(share, "was"), filepath.Join(share, "dir"))); err != nil {
			t.Fatal(err)
		}
		dir = g.lookup(1, "dir")
	}
}

func TestDevicesAreRefused(t *testing.T) {
	g := hostile(t, Options{})
	for _, kind := range []uint32{fusewire.ModeChar, fusewire.ModeBlock, 0o030000} {
		body := binary.LittleEndian.AppendUint32(nil, kind|0o666)
		body = append(binary.LittleEndian.AppendUint32(body, 0x103), make([]byte, 8)...)
		if e, _ := g.ask(fusewire.OpMknod, 1, append(body, text("dev")...)); e != fusewire.EPERM {
			t.Errorf("mknod %o: %v", kind, e)
		}
	}
	body := binary.LittleEndian.AppendUint32(nil, fusewire.ModeFifo|0o666)
	if e, b := g.ask(fusewire.OpMknod, 1, append(append(body, make([]byte, 12)...), text("pipe")...)); e != fusewire.OK {
		t.Errorf("mknod of a pipe: %v", e)
	} else if e, _ := g.ask(fusewire.OpOpen, binary.LittleEndian.Uint64(b), words(0)); e != fusewire.EACCES {
		t.Errorf("a pipe of the host is opened: %v", e) // it would wait for a writer
	}
}

func TestNumbersThatMeanNothing(t *testing.T) {
	g := hostile(t, Options{})
	file := g.lookup(1, "file")
	_, b := g.ask(fusewire.OpOpen, file, words(2))
	fh := binary.LittleEndian.Uint64(b)
	for _, id := range []uint64{0, 2, 999, 1 << 63, 1<<64 - 1} {
		if id == file {
			continue
		}
		if e, _ := g.ask(fusewire.OpGetattr, id, words(0, 0)); e != fusewire.ESTALE {
			t.Errorf("node %d: %v", id, e)
		}
		if e, _ := g.ask(fusewire.OpRead, file, words(id^fh^1<<40, 0, 100, 0, 0)); e != fusewire.EBADF {
			t.Errorf("handle %d: %v", id^fh^1<<40, e)
		}
	}
	if e, _ := g.ask(fusewire.OpRead, g.lookup(1, "dir"), words(fh, 0, 100, 0, 0)); e != fusewire.EBADF {
		t.Errorf("a handle of another node: %v", e)
	}
	for _, size := range []uint64{fusewire.MaxData + 1, 1<<32 - 1} {
		if e, _ := g.ask(fusewire.OpRead, file, words(fh, 0, size, 0, 0)); e != fusewire.EINVAL {
			t.Errorf("a read of %d: %v", size, e)
		}
		if e, _ := g.ask(fusewire.OpWrite, file, append(words(fh, 0, size, 0, 0), "short"...)); e != fusewire.EINVAL {
			t.Errorf("a write of %d with 5: %v", size, e)
		}
	}
	if e, _ := g.ask(fusewire.OpWrite, file, append(words(fh, 1<<63, 5, 0, 0), "12345"...)); e != fusewire.EINVAL {
		t.Errorf("a write at a negative position: %v", e)
	}
	for range 3 { // more forgets than it was told
		g.ask(fusewire.OpForget, file, words(1<<60))
	}
	g.ask(fusewire.OpForget, 1, words(1<<60))
	if e, _ := g.ask(fusewire.OpGetattr, 1, words(0, 0)); e != fusewire.OK {
		t.Errorf("the root is forgotten: %v", e)
	}
}

func TestTablesAreBounded(t *testing.T) {
	g := hostile(t, Options{Nodes: 4, Handles: 3})
	file := g.lookup(1, "file")
	for i := range 10 {
		e, _ := g.ask(fusewire.OpOpen, file, words(0))
		if want := map[bool]fusewire.Errno{true: fusewire.OK, false: fusewire.ENFILE}[i < 3]; e != want {
			t.Errorf("open %d: %v, want %v", i, e, want)
		}
	}
	full := 0
	for _, name := range []string{"dir", "out", "abs", "up", "in"} {
		if e, _ := g.ask(fusewire.OpLookup, 1, text(name)); e == fusewire.ENFILE {
			full++
		}
	}
	if full != 3 || g.s.Nodes() != 4 {
		t.Errorf("%d of 5 were refused, the table has %d", full, g.s.Nodes())
	}
	g.ask(fusewire.OpForget, g.s.nodes.child(g.s.nodes.root, "dir").id, words(1))
	g.lookup(1, "up")
}

func TestReadOnlyShare(t *testing.T) {
	g := hostile(t, Options{ReadOnly: true})
	file := g.lookup(1, "file")
	for _, op := range []fusewire.Opcode{fusewire.OpSetattr, fusewire.OpUnlink, fusewire.OpMkdir, fusewire.OpCreate, fusewire.OpRename, fusewire.OpRename2,
		fusewire.OpLink, fusewire.OpSymlink, fusewire.OpMknod, fusewire.OpWrite, fusewire.OpFallocate, fusewire.OpCopyFileRange, fusewire.OpTmpfile,
		fusewire.OpSetxattr, fusewire.OpRemovexattr, fusewire.OpRmdir} {
		if e, _ := g.ask(op, 1, make([]byte, 128)); e != fusewire.EROFS {
			t.Errorf("request %d: %v", op, e)
		}
	}
	for _, flags := range []uint64{1, 2, 0o1000} {
		if e, _ := g.ask(fusewire.OpOpen, file, words(flags)); e != fusewire.EROFS {
			t.Errorf("open with %o: %v", flags, e)
		}
	}
}

// TestMessagesOfWrongLength ends the stream, and nothing else.
func TestMessagesOfWrongLength(t *testing.T) {
	for _, length := range []uint32{0, 3, 39, fusewire.MaxMessage + 1, 1<<32 - 1} {
		g := hostile(t, Options{})
		_ = g.stream.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			_, _ = g.stream.Write(append(binary.LittleEndian.AppendUint32(nil, length), make([]byte, 60)...))
		}()
		if _, err := io.ReadAll(g.stream); err != nil {
			t.Errorf("length %d: %v", length, err)
		}
	}
}
