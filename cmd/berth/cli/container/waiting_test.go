package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

func TestAnAnswerIsNoAbsence(t *testing.T) {
	for text, tc := range map[string]struct {
		err  error
		want bool
	}{
		"cut":       {fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), true},
		"away":      {errdefs.Unavailable("no engine answers"), true},
		"not found": {errdefs.NotFound("No such container: x"), false},
		"refused":   {errdefs.Invalid("bad"), false},
		"none":      {nil, false},
	} {
		if got := broken(tc.err); got != tc.want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	tries := 0
	_, err := overRestart(t.Context(), 100*time.Millisecond, "container c", func(context.Context) (int, error) {
		tries++
		return 0, io.EOF
	})
	var exit *session.ExitError
	if tries < 2 || !errors.As(err, &exit) || exit.Code != 125 || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "container c goes on") {
		t.Errorf("%d tries, %v", tries, err)
	}
	v, err := overRestart(t.Context(), 10*time.Second, "container c", func(context.Context) (int, error) {
		if tries++; tries < 6 {
			return 0, io.EOF
		}
		return 7, nil
	})
	if v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}

func TestOutputThatCameBeforeIsSkipped(t *testing.T) {
	var b bytes.Buffer
	c := &counted{w: &b}
	io.WriteString(c, "one\ntwo\n")
	c.skip = c.have
	for _, part := range []string{"on", "e\ntwo\nth", "ree\n"} {
		if n, err := io.WriteString(c, part); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if b.String() != "one\ntwo\nthree\n" || c.have != int64(b.Len()) {
		t.Errorf("wrote %q, counted %d", b.String(), c.have)
	}
}
