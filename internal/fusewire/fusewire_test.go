package fusewire

import (
	"bytes"
	"reflect"
	"testing"
)

func TestRequestThereAndBack(t *testing.T) {
	want := Header{Op: OpLookup, Unique: 7, Node: 9, UID: 1, GID: 2, PID: 3}
	msg := AppendRequest(nil, want, []byte("name\x00"))
	read, err := ReadMessage(bytes.NewReader(msg), nil, RequestHeader)
	if err != nil {
		t.Fatal(err)
	}
	h, body, err := ParseHeader(read)
	if err != nil || h != want || string(body) != "name\x00" {
		t.Errorf("%+v %q %v", h, body, err)
	}
}

func TestEventThereAndBack(t *testing.T) {
	want := Event{
		Kind: EventMove, Mode: 0o100600, Parent: 1, Node: 2, Dir: "a/b", Name: "c d", ToNode: 3, ToDir: "", ToName: "e",
		Replaced: 4, ReplacedMode: 5, Target: "t",
	}
	got, err := ParseEvent(want.Append(nil))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSizesOfStructs(t *testing.T) {
	for name, c := range map[string]struct{ got, want int }{
		"fuse_attr":      {len((&Attr{}).Append(nil)), 88},
		"fuse_entry_out": {len((&Entry{}).Append(nil)), 128},
		"fuse_attr_out":  {len(AppendAttr(nil, &Attr{}, 0)), 104},
		"fuse_open_out":  {len(AppendOpen(nil, 0, 0)), 16},
		"fuse_dirent":    {len((&Dirent{Name: "123456789"}).Append(nil)), DirentSize("123456789")},
		"inval_inode":    {len(AppendInvalInode(nil, 1)), 40},
		"inval_entry":    {len(AppendInvalEntry(nil, 1, "abc", 0)), 36},
	} {
		if c.got != c.want {
			t.Errorf("%s has %d bytes, want %d", name, c.got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "a b": true, "..a": true, "": false, ".": false, "..": false, "a/b": false, "a\x00": false} {
		if ValidName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(AppendRequest(nil, Header{Op: OpOpen}, make([]byte, 8)))
	f.Add((&Event{Kind: EventCreate, Name: "n"}).Append(nil))
	f.Add([]byte{20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		if msg, err := ReadMessage(bytes.NewReader(b), nil, RequestHeader); err == nil {
			if _, body, err := ParseHeader(msg); err == nil && len(body) > len(msg) {
				t.Error("a body larger than its message")
			}
		}
		if e, err := ParseEvent(b); err == nil {
			if again, err := ParseEvent(e.Append(nil)); err != nil || !reflect.DeepEqual(e, again) {
				t.Errorf("%+v becomes %+v, %v", e, again, err)
			}
		}
		_, _ = ReadFrame(bytes.NewReader(b))
		var h Hello
		_ = ReadJSON(bytes.NewReader(b), &h)
	})
}
