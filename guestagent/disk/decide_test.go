package disk

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// super makes a superblock as mke2fs does, with what is read of it.
func super(label string, state uint16, incompat uint32) []byte {
	b := make([]byte, superSize)
	le := binary.LittleEndian
	le.PutUint32(b[4:], 1<<20)
	le.PutUint16(b[56:], 0xEF53)
	le.PutUint16(b[58:], state)
	le.PutUint32(b[96:], incompat)
	copy(b[104:120], "0123456789abcdef")
	copy(b[120:136], label)
	return b
}

// sparse is a disk of zeros with pieces on it.
type sparse struct {
	size int64
	at   map[int64][]byte
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	n := int(min(int64(len(p)), s.size-off))
	for begin, piece := range s.at {
		if begin < off {
			piece, begin = piece[min(off-begin, int64(len(piece))):], off
		}
		if begin-off < int64(n) {
			copy(p[begin-off:n], piece)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestLook(t *testing.T) {
	const size = 200 << 20
	spare := int64(32768) * blockSize
	for _, c := range []struct {
		name string
		at   map[int64][]byte
		want Found
	}{
		{"blank", nil, Found{Kind: Blank}},
		{"ours, clean", map[int64][]byte{superOffset: super(Label, 1, 0)}, Found{Kind: Ours, Clean: true}},
		{"ours, mounted when the power went", map[int64][]byte{superOffset: super(Label, 1, 4)}, Found{Kind: Ours}},
		{"ours, with errors", map[int64][]byte{superOffset: super(Label, 3, 0)}, Found{Kind: Ours}},
		{"another's ext4", map[int64][]byte{superOffset: super("home", 1, 0)}, Found{Kind: Other, Clean: true}},
		{"first superblock overwritten", map[int64][]byte{superOffset: bytes.Repeat([]byte{7}, superSize), spare: super(Label, 1, 0)}, Found{Kind: Damaged, Spare: 32768}},
		{"first superblock zeroed", map[int64][]byte{spare: super(Label, 1, 0)}, Found{Kind: Damaged, Spare: 32768}},
		{"another's with its first superblock gone", map[int64][]byte{spare: super("home", 1, 0), 0: {1}}, Found{Kind: Other}},
		{"one byte in the first block", map[int64][]byte{5: {1}}, Found{Kind: Other}},
		{"a partition table's copy at the end", map[int64][]byte{size - 512: []byte("EFI PART")}, Found{Kind: Other}},
	} {
		got, err := Look(sparse{size, c.at}, size)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got.Kind != c.want.Kind || got.Clean != c.want.Clean || got.Spare != c.want.Spare {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if got.Kind == Ours && got.UUID != "30313233-3435-3637-3839-616263646566" {
			t.Errorf("%s: uuid %s", c.name, got.UUID)
		}
	}
}

func TestALookAtATinyDiskDoesNotFail(t *testing.T) {
	for _, size := range []int64{512, 1024, 2048, 1 << 20} {
		if got, err := Look(sparse{size, nil}, size); err != nil || got.Kind != Blank {
			t.Errorf("%d bytes: %+v %v", size, got, err)
		}
	}
}

func TestDecide(t *testing.T) {
	disk := func(path string, k Kind, clean bool) Candidate {
		return Candidate{Path: path, Size: 1 << 30, Found: Found{Kind: k, Clean: clean}}
	}
	small, readOnly := disk("/dev/a", Blank, false), disk("/dev/a", Ours, true)
	small.Size, readOnly.ReadOnly = 1<<20, true
	for _, c := range []struct {
		name  string
		disks []Candidate
		path  string
		want  Action
		fault string
	}{
		{name: "clean", disks: []Candidate{disk("/dev/a", Ours, true)}, path: "/dev/a", want: Mount},
		{name: "unclean", disks: []Candidate{disk("/dev/a", Ours, false)}, path: "/dev/a", want: Check},
		{name: "damaged", disks: []Candidate{disk("/dev/a", Damaged, false)}, path: "/dev/a", want: Repair},
		{name: "blank", disks: []Candidate{disk("/dev/a", Blank, false)}, path: "/dev/a", want: Format},
		{name: "ours wins over blank, in any order", disks: []Candidate{disk("/dev/a", Blank, false), disk("/dev/b", Ours, true)}, path: "/dev/b", want: Mount},
		{name: "damaged wins over blank", disks: []Candidate{disk("/dev/a", Blank, false), disk("/dev/b", Damaged, false)}, path: "/dev/b", want: Repair},
		{name: "another's is let be", disks: []Candidate{disk("/dev/a", Other, true), disk("/dev/b", Blank, false)}, path: "/dev/b", want: Format},
		{name: "two of ours", disks: []Candidate{disk("/dev/a", Ours, true), disk("/dev/b", Damaged, true)}, fault: "/dev/a, /dev/b are all labelled"},
		{name: "two blank", disks: []Candidate{disk("/dev/a", Blank, false), disk("/dev/b", Blank, false)}, fault: "/dev/a, /dev/b are all blank"},
		{name: "only another's", disks: []Candidate{disk("/dev/a", Other, true)}, fault: "no data disk among 1"},
		{name: "none", fault: "no data disk among 0"},
		{name: "too small", disks: []Candidate{small}, fault: "needs at least"},
		{name: "read-only", disks: []Candidate{readOnly}, fault: "read-only"},
	} {
		got, action, err := Decide(c.disks)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.fault)
			}
			continue
		}
		if err != nil || got.Path != c.path || action != c.want {
			t.Errorf("%s: %s %d %v", c.name, got.Path, action, err)
		}
	}
}

func FuzzLook(f *testing.F) {
	f.Add(super(Label, 1, 0))
	f.Add(super("home", 3, 4))
	f.Fuzz(func(t *testing.T, sb []byte) {
		b := make([]byte, 64<<10)
		copy(b[superOffset:superOffset+superSize], sb)
		got, err := Look(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if blank := bytes.Count(b, []byte{0}) == len(b); (got.Kind == Blank) != blank {
			t.Fatalf("%+v of a disk of which blank is %t", got, blank)
		}
	})
}
