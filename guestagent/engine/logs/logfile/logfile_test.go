package logfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func start() time.Time { return time.Date(2026, 11, 27, 1, 2, 3, 456789, time.UTC) }

func config(t *testing.T, change ...func(*Config)) Config {
	c := Config{Driver: JSONFile, Path: filepath.Join(t.TempDir(), "x.log"), MaxFile: 1}
	for _, f := range change {
		f(&c)
	}
	return c
}

func open(t *testing.T, c Config) *Writer {
	t.Helper()
	w, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func write(t *testing.T, w *Writer, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := w.Write(Stdout, start().Add(time.Duration(i)*time.Second), fmt.Appendf(nil, "line %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, c Config, o ReadOptions) string {
	t.Helper()
	var b strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := Read(ctx, c, o, func(e Entry) error { b.Write(e.Line); return nil }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestJSONFileIsDockers(t *testing.T) {
	c := config(t, func(c *Config) { c.Attrs = map[string]string{"tag": "web"} })
	w := open(t, c)
	if err := w.Write(Stderr, start(), []byte("a <b> \"c\" \xff\n"), []byte("no end")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(got, []byte("\n"))
	var e map[string]any
	if err := json.Unmarshal(first, &e); err != nil {
		t.Fatal(err)
	}
	if e["log"] != "a <b> \"c\" \ufffd\n" || e["stream"] != "stderr" || e["time"] != "2026-11-27T01:02:03.000456789Z" {
		t.Errorf("entry %s", first)
	}
	if e["attrs"].(map[string]any)["tag"] != "web" {
		t.Errorf("attributes %v", e["attrs"])
	}
}

func TestReadSelects(t *testing.T) {
	for _, driver := range []string{JSONFile, Local} {
		c := config(t, func(c *Config) { c.Driver = driver })
		write(t, open(t, c), 0, 10)
		at := func(i int) time.Time { return start().Add(time.Duration(i) * time.Second) }
		for name, tc := range map[string]struct {
			o    ReadOptions
			want string
		}{
			"all":        {ReadOptions{Tail: -1}, lines(0, 10)},
			"tail":       {ReadOptions{Tail: 3}, lines(7, 10)},
			"tail none":  {ReadOptions{Tail: 0}, ""},
			"tail more":  {ReadOptions{Tail: 99}, lines(0, 10)},
			"since":      {ReadOptions{Tail: -1, Since: at(8)}, lines(8, 10)},
			"until":      {ReadOptions{Tail: -1, Until: at(1)}, lines(0, 2)},
			"both":       {ReadOptions{Tail: -1, Since: at(2), Until: at(3)}, lines(2, 4)},
			"tail until": {ReadOptions{Tail: 5, Until: at(6)}, lines(5, 7)},
		} {
			t.Run(driver+" "+name, func(t *testing.T) {
				if got := read(t, c, tc.o); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			})
		}
	}
}

func TestRotationKeepsTheNewest(t *testing.T) {
	for _, compress := range []bool{false, true} {
		c := config(t, func(c *Config) { c.MaxSize, c.MaxFile, c.Compress = 400, 3, compress })
		w := open(t, c)
		write(t, w, 0, 40)
		all := read(t, c, ReadOptions{Tail: -1})
		if !strings.HasSuffix(lines(0, 40), all) || len(all) < len(lines(0, 8)) {
			t.Errorf("kept %q", all)
		}
		if got := read(t, c, ReadOptions{Tail: 9}); got != lines(31, 40) {
			t.Errorf("tail across files (compressed: %v) %q", compress, got)
		}
		files, _ := filepath.Glob(c.Path + "*")
		if len(files) != 3 {
			t.Errorf("files %v", files)
		}
		for _, f := range files {
			if st, _ := os.Stat(f); st.Size() > 500 {
				t.Errorf("%s has %d bytes", f, st.Size())
			}
		}
	}
}

func TestOneFileBeginsAgain(t *testing.T) {
	c := config(t, func(c *Config) { c.MaxSize = 300 })
	write(t, open(t, c), 0, 50)
	if st, _ := os.Stat(c.Path); st.Size() > 400 {
		t.Errorf("%d bytes with a limit of 300", st.Size())
	}
	if got := read(t, c, ReadOptions{Tail: 1}); got != lines(49, 50) {
		t.Errorf("got %q", got)
	}
}

func TestFollowMissesNothing(t *testing.T) {
	for _, compress := range []bool{false, true} {
		c := config(t, func(c *Config) { c.MaxSize, c.MaxFile, c.Compress = 2000, 5, compress })
		w := open(t, c)
		write(t, w, 0, 5)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 5; i < 400; i++ {
				write(t, w, i, i+1)
				time.Sleep(time.Millisecond)
			}
		}()
		if got := read(t, c, ReadOptions{Tail: -1, Follow: true, Done: done}); got != lines(0, 400) {
			t.Errorf("compressed %v: %d bytes of %d, beginning %.40q", compress, len(got), len(lines(0, 400)), got)
		}
	}
}

// A reading that begins right after a rotation finds an empty file, and what came before it compressed.
func TestFollowFromARotation(t *testing.T) {
	for _, compress := range []bool{false, true} {
		c := config(t, func(c *Config) { c.MaxFile, c.Compress = 5, compress })
		w := open(t, c)
		rotate := func() {
			t.Helper()
			if err := w.rotate(); err != nil {
				t.Fatal(err)
			}
		}
		write(t, w, 0, 5)
		rotate()
		done, step := make(chan struct{}), 0
		settled := func() {
			switch step++; step {
			case 1:
				write(t, w, 5, 10)
				rotate()
			case 2:
				write(t, w, 10, 15)
				close(done)
			}
		}
		if got := read(t, c, ReadOptions{Tail: -1, Follow: true, Done: done, Settled: settled}); got != lines(0, 15) {
			t.Errorf("compressed %v: %q", compress, got)
		}
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	c := config(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := Read(ctx, c, ReadOptions{Tail: -1, Follow: true}, func(Entry) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestReaderErrorEndsReading(t *testing.T) {
	c := config(t)
	write(t, open(t, c), 0, 5)
	gone := errors.New("gone")
	n := 0
	if err := Read(context.Background(), c, ReadOptions{Tail: -1}, func(Entry) error { n++; return gone }); !errors.Is(err, gone) || n != 1 {
		t.Errorf("error %v after %d entries", err, n)
	}
}

func TestCrashSpoilsOneEntry(t *testing.T) {
	c := config(t)
	write(t, open(t, c), 0, 2)
	f, _ := os.OpenFile(c.Path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString(`{"log":"half an en`)
	f.Close()
	write(t, open(t, c), 2, 4)
	if got := read(t, c, ReadOptions{Tail: -1}); got != lines(0, 4) {
		t.Errorf("got %q", got)
	}
}

func TestMissingLogIsEmpty(t *testing.T) {
	if got := read(t, config(t), ReadOptions{Tail: -1}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestLinesAreCut(t *testing.T) {
	c := config(t)
	l := NewLines(open(t, c), Stdout, nil)
	long := strings.Repeat("x", 2*MaxLine+10)
	for _, p := range []string{"one\ntw", "o\n", long[:MaxLine+5], long[MaxLine+5:], "\nlast"} {
		if err := l.Add([]byte(p), start()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(start()); err != nil {
		t.Fatal(err)
	}
	var got []int
	all := ""
	Read(context.Background(), c, ReadOptions{Tail: -1}, func(e Entry) error { got = append(got, len(e.Line)); all += string(e.Line); return nil })
	if all != "one\ntwo\n"+long+"\nlast" {
		t.Errorf("%d bytes came back", len(all))
	}
	if fmt.Sprint(got) != fmt.Sprint([]int{4, 4, MaxLine, MaxLine, 11, 4}) {
		t.Errorf("pieces %v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"log":"x\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}` + "\n"))
	f.Add([]byte(`{"l":"x","s":"stderr","t":5}` + "\n{\n\n"))
	f.Add([]byte("\x00\xff{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := config(t, func(c *Config) { c.MaxFile = 3 })
		os.WriteFile(c.Path, data, 0o600)
		os.WriteFile(c.Path+".1.gz", data, 0o600)
		for _, tail := range []int{-1, 0, 2} {
			n := 0
			if err := Read(context.Background(), c, ReadOptions{Tail: tail}, func(Entry) error { n++; return nil }); err != nil {
				t.Skip() // a file that cannot be read is reported, never a panic
			}
			if tail >= 0 && n > tail {
				t.Errorf("%d entries of %d", n, tail)
			}
		}
	})
}
