//go:build linux

package streams

import (
	"bytes"
	"testing"
)

func TestDetachKeysAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		keys, in, out string
		detached      bool
	}{
		"the default":            {"\x10\x11", "ab\x10\x11cd", "ab", true},
		"half, then another key": {"\x10\x11", "\x10x", "\x10x", false},
		"half twice":             {"\x10\x11", "\x10\x10\x11", "\x10", true},
		"half at the end":        {"\x10\x11", "a\x10", "a", false},
		"overlapping beginning":  {"aab", "aaab", "a", true},
		"repeated beginning":     {"abac", "ababac", "ab", true},
		"one key":                {"q", "wq!", "w", true},
		"no keys":                {"", "\x10\x11", "\x10\x11", false},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(tc.in); size++ {
				d := detacher{keys: []byte(tc.keys)}
				var out []byte
				detached := false
				for rest := []byte(tc.in); len(rest) > 0 && !detached; {
					n := min(size, len(rest))
					var o []byte
					o, detached = d.feed(rest[:n])
					out, rest = append(out, o...), rest[n:]
				}
				if string(out) != tc.out || detached != tc.detached {
					t.Errorf("in pieces of %d: passed on %q, detached %v", size, out, detached)
				}
			}
		})
	}
}

// Whatever is typed: what was passed on, and held back, is what was typed before the keys.
func FuzzDetach(f *testing.F) {
	f.Add([]byte{16, 17}, []byte("a\x10\x10\x11b"))
	f.Add([]byte("aab"), []byte("aaaab"))
	f.Add([]byte{}, []byte("x"))
	f.Fuzz(func(t *testing.T, keys, in []byte) {
		d := detacher{keys: keys}
		var got []byte
		detached := false
		for i := 0; i < len(in) && !detached; i++ {
			var out []byte
			out, detached = d.feed(in[i : i+1])
			got = append(got, out...)
		}
		want := in
		at := -1
		if len(keys) > 0 {
			at = bytes.Index(in, keys)
		}
		if at >= 0 {
			want = in[:at]
		}
		if detached != (at >= 0) {
			t.Fatalf("detached %v, keys at %d", detached, at)
		}
		if !detached {
			got = append(got, keys[:d.held]...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("passed on %q of %q", got, in)
		}
	})
}
