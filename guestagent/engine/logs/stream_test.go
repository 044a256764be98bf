package logs

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
)

func TestStream(t *testing.T) {
	cfg := logfile.Config{Driver: logfile.JSONFile, Path: filepath.Join(t.TempDir(), "log"), Attrs: map[string]string{"b": "x y", "a": "1"}}
	w, err := logfile.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	w.Write(logfile.Stdout, at, []byte("out\n"))
	w.Write(logfile.Stderr, at, []byte("err\n"))
	for name, tc := range map[string]struct {
		o        Options
		out, err string
	}{
		"both":       {Options{Stdout: true, Stderr: true, Tail: -1}, "out\n", "err\n"},
		"stderr":     {Options{Stderr: true, Tail: -1}, "", "err\n"},
		"timestamps": {Options{Stdout: true, Timestamps: true, Tail: -1}, "2026-01-02T03:04:05.000000600Z out\n", ""},
		"details":    {Options{Stdout: true, Details: true, Tail: -1}, "a=1,b=x+y out\n", ""},
		"none":       {Options{Stdout: true, Stderr: true}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			if err := Stream(context.Background(), cfg, tc.o, &out, &errs); err != nil {
				t.Fatal(err)
			}
			if out.String() != tc.out || errs.String() != tc.err {
				t.Errorf("stdout %q, stderr %q", out.String(), errs.String())
			}
		})
	}
}
