package fileshare

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/internal/fusewire"
)

// FuzzRequests sends a stream of bytes as requests. The first byte of each piece picks the operation, the second the
// node, so that the fuzzer reaches what is behind the header soon.
func FuzzRequests(f *testing.F) {
	seed := func(pieces ...[]byte) {
		var b []byte
		for _, p := range pieces {
			b = append(append(b, byte(len(p))), p...)
		}
		f.Add(b)
	}
	piece := func(op fusewire.Opcode, node byte, body []byte) []byte {
		return append([]byte{byte(op), node}, body...)
	}
	seed(piece(fusewire.OpLookup, 1, text("file")), piece(fusewire.OpOpen, 2, words(2)), piece(fusewire.OpRead, 2, words(1, 0, 64, 0, 0)),
		piece(fusewire.OpWrite, 2, append(words(1, 0, 3, 0, 0), "abc"...)), piece(fusewire.OpRelease, 2, words(1, 0, 0)))
	seed(piece(fusewire.OpLookup, 1, text("out")), piece(fusewire.OpOpen, 2, words(0)), piece(fusewire.OpReadlink, 2, nil))
	seed(piece(fusewire.OpMkdir, 1, append(words(0o755), text("d")...)), piece(fusewire.OpRename2, 1, append(words(2, 0), text("file", "..")...)))
	seed(piece(fusewire.OpReaddirplus, 1, words(0, 0, 4096)), piece(fusewire.OpBatchForget, 1, words(1<<32-1, 2, 1)))
	seed(piece(fusewire.OpCreate, 1, append(words(2, 0), text("new")...)), piece(fusewire.OpSetlk, 2, words(1, 7, 0, 9, 1, 0)),
		piece(fusewire.OpFallocate, 2, words(1, 0, 10, 0)), piece(fusewire.OpFlush, 2, words(1, 0, 7)))
	seed(piece(fusewire.OpSetxattr, 1, append(words(1), text("user.berth.owner", "x")...)), piece(fusewire.OpSetattr, 1, make([]byte, 88)))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzOnce(t, data) })
}

func fuzzOnce(t *testing.T, data []byte) {
	base := t.TempDir()
	share := filepath.Join(base, "share")
	if err := os.MkdirAll(filepath.Join(share, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"secret": canary, "share/file": "inside"} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(share, "out")); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Path: share, Nodes: 64, Handles: 16})
	if err != nil {
		t.Fatal(err)
	}
	s.nodes.last, s.handles.last = fusewire.RootID, 0 // numbers that the fuzzer can guess
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() { defer close(served); _ = s.ServeWorker(theirs); _ = theirs.Close() }()
	go func() { _, _ = io.Copy(io.Discard, ours) }()
	for unique := uint64(1); len(data) > 0; unique++ {
		n := min(int(data[0]), len(data)-1)
		p := data[1 : 1+n]
		data = data[1+n:]
		if len(p) < 2 || p[0] == byte(fusewire.OpSetlkw) { // a wait for a lock is a wait
			continue
		}
		if p[0] == byte(fusewire.OpFallocate) { // at most 64 KB: more would fill the disk, as it would for the person
			p = append([]byte(nil), p...)
			for i := 2; i < len(p); i++ {
				if (i-2)%8 > 1 {
					p[i] = 0
				}
			}
		}
		h := fusewire.Header{Op: fusewire.Opcode(p[0]), Unique: unique, Node: uint64(p[1]), UID: uint32(p[1] >> 6)}
		if _, err := ours.Write(fusewire.AppendRequest(nil, h, p[2:])); err != nil {
			break
		}
	}
	_ = ours.Close()
	<-served
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(base, "secret")); err != nil || string(b) != canary {
		t.Fatalf("outside of the share: %q, %v", b, err)
	}
	if all, err := os.ReadDir(base); err != nil || len(all) != 2 {
		t.Fatalf("beside the share: %v, %v", all, err)
	}
}
