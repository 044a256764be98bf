package hyperv

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEveryTroubleHasAHint(t *testing.T) {
	for c, tr := range troubles {
		if tr.text == "" || tr.hint == "" {
			t.Errorf("0x%08X: %+v", uint32(c), tr)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	e := &Error{Op: "HcsCreateComputeSystem", Code: accessDenied, Detail: "a long story"}
	wrapped := fmt.Errorf("virtual machine x: %w", e)
	if !errors.Is(wrapped, code(accessDenied)) || errors.Is(wrapped, code(systemExists)) {
		t.Error("a code is not found")
	}
	if !strings.Contains(wrapped.Error(), "administrators alone") || !strings.Contains(wrapped.Error(), "HcsCreateComputeSystem: 0x8037011B") {
		t.Errorf("%v", wrapped)
	}
	if e := (&Error{Op: "X", Code: 0x80370199, Detail: "its words"}); !strings.Contains(e.Error(), "its words") || e.Hint() != "" {
		t.Errorf("%v, %q", e, e.Hint())
	}
	for off, want := range map[bool]string{true: hintFirmware, false: hintPlatform} {
		if got := (&Error{Code: hyperVNotInstalled}).refined(off).Hint(); got != want {
			t.Errorf("firmware off %v: %q", off, got)
		}
	}
}
