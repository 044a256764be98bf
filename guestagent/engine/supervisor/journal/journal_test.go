//go:build linux

package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
)

// writer is a supervisor's use of a journal, that can die at any step.
type writer struct {
	t     *testing.T
	log   logfile.Config
	file  *logfile.Writer
	j     *Journal
	lines *logfile.Lines
	dies  string // the step that it does not survive
}

var errDead = errors.New("dead")

func begin(t *testing.T) *writer {
	t.Helper()
	w := &writer{t: t, log: logfile.Config{Driver: logfile.JSONFile, Path: filepath.Join(t.TempDir(), "log")}}
	var err error
	if w.j, err = New(); err != nil {
		t.Fatal(err)
	}
	w.open()
	return w
}

func (w *writer) open() {
	var err error
	if w.file, err = logfile.Open(w.log); err != nil {
		w.t.Fatal(err)
	}
	w.lines = logfile.NewLines(w.file, logfile.Stdout, w)
}

// Begin and End stand between the log and the journal, to die there.
func (w *writer) Begin(offset, length int64, rest int) {
	w.j.Stream(0).Begin(offset, length, rest)
	if w.dies == "before the write" {
		panic(errDead)
	}
	if w.dies == "in the write" {
		os.WriteFile(w.log.Path, append(w.content(), `{"log":"ha`...), 0o640)
		panic(errDead)
	}
}

func (w *writer) End() {
	if w.dies == "after the write" {
		return
	}
	w.j.Stream(0).End()
	if w.dies == "after the note" {
		w.j.word(wordWriting).Store(1) // the last store of End did not come about
	}
}

func (w *writer) content() []byte {
	b, err := os.ReadFile(w.log.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// read is what the supervisor does with a piece of output, until it dies.
func (w *writer) read(p string) {
	w.t.Helper()
	defer func() {
		if v := recover(); v != nil && v != errDead {
			panic(v)
		}
	}()
	n := copy(w.j.Stream(0).Space(), p)
	if n != len(p) {
		w.t.Fatalf("no space for %d bytes", len(p))
	}
	if w.dies == "after the read" {
		return
	}
	w.j.Stream(0).Took(n)
	if w.dies == "before the log" {
		return
	}
	if err := w.lines.Add([]byte(p), time.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// succeed is a successor that takes the journal up.
func (w *writer) succeed() (unseen int) {
	w.t.Helper()
	fd, err := unix.Dup(int(w.j.File().Fd()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.j.Close()
	if w.j, err = Recover(os.NewFile(uintptr(fd), "kept"), w.log.Path); err != nil {
		w.t.Fatal(err)
	}
	w.dies = ""
	w.open()
	left, unseen := w.j.Stream(0).Pending()
	if err := w.lines.Add(append([]byte(nil), left...), time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return unseen
}

func (w *writer) logged() string {
	w.t.Helper()
	var out strings.Builder
	for l := range strings.Lines(string(w.content())) {
		_, text, ok := strings.Cut(l, `{"log":"`)
		text, _, ok2 := strings.Cut(text, `","stream"`)
		if !ok || !ok2 {
			w.t.Errorf("not an entry: %q", l)
		}
		out.WriteString(strings.ReplaceAll(text, `\n`, "\n"))
	}
	return out.String()
}

func TestADeathAtEveryStepLosesAndRepeatsNothing(t *testing.T) {
	for step, fresh := range map[string]int{"after the read": 17, "before the log": 0, "before the write": 0, "in the write": 0,
		"after the write": 0, "after the note": 0} {
		t.Run(step, func(t *testing.T) {
			w := begin(t)
			w.read("one\ntwo\nthr")
			w.dies = step
			w.read("ee\nfour\nfive\nsix")
			if unseen := w.succeed(); unseen != min(fresh, len("ee\nfour\nfive\nsix")) {
				t.Errorf("%d bytes are new to clients", unseen)
			}
			w.read(" and a half\nseven\n")
			if got, want := w.logged(), "one\ntwo\nthree\nfour\nfive\nsix and a half\nseven\n"; got != want {
				t.Errorf("the log has %q, want %q", got, want)
			}
		})
	}
}

func TestAnotherStreamsEntriesStay(t *testing.T) {
	w := begin(t)
	w.dies = "in the write"
	other := logfile.NewLines(w.file, logfile.Stderr, w.j.Stream(1))
	copy(w.j.Stream(1).Space(), "err\n")
	w.j.Stream(1).Took(4)
	if err := other.Add([]byte("err\n"), time.Now()); err != nil {
		t.Fatal(err)
	}
	w.read("out\n")
	w.succeed()
	if got := w.logged(); got != "err\nout\n" {
		t.Errorf("the log has %q", got)
	}
	if left, _ := w.j.Stream(1).Pending(); len(left) != 0 {
		t.Errorf("%q is left of what was written", left)
	}
}

func TestSpaceIsZeroAndKeepsWhatIsLeft(t *testing.T) {
	w := begin(t)
	var want strings.Builder
	for i := range 200 {
		p := strings.Repeat(string(rune('a'+i%26)), 1+i*331%Window)
		if i%3 > 0 {
			p += "\n"
		}
		p = p[:min(len(p), Window)]
		space := w.j.Stream(0).Space()
		if len(space) != Window || len(strings.Trim(string(space), "\x00")) > 0 {
			t.Fatalf("round %d: the space is not clean", i)
		}
		w.read(p)
		want.WriteString(p)
		if i%17 == 0 {
			w.succeed()
		}
	}
	if err := w.lines.Flush(time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := w.logged(); got != want.String() {
		t.Errorf("the log has %d bytes, want %d", len(got), want.Len())
	}
}

func TestRecoverRefusesWhatIsNoJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(f, "log"); err == nil || !strings.Contains(err.Error(), "0 bytes") {
		t.Errorf("%v", err)
	}
}

func TestRecoverOfGarbage(t *testing.T) {
	w := begin(t)
	for i := range 7 {
		w.j.word(i).Store(^uint64(0) >> i)
	}
	w.j.word(wordWriting).Store(2)
	w.succeed()
	w.read("goes on\n")
	if got := w.logged(); !strings.HasSuffix(got, "goes on\n") {
		t.Errorf("the log has %q", got)
	}
}
