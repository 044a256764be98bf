package hyperv

import (
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	// waitStep is how often a wait for the service looks whether it is still wanted, in milliseconds.
	waitStep = 100
	// genericAll is the access that a system is opened with.
	genericAll = 0x10000000
	// virtFirmwareEnabled is the processor feature that the firmware lets Windows use virtualisation.
	virtFirmwareEnabled = 21
)

// taken is a text of the service, which is freed.
func taken(p *uint16) string {
	if p == nil {
		return ""
	}
	defer func() { _, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(p))) }()
	return windows.UTF16PtrToString(p)
}

// failed makes an Error of what a binding returned.
func failed(op string, err error, detail string) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		if missing, ok := errors.AsType[*windows.DLLError](err); !ok || !errors.As(missing.Err, &errno) {
			return err
		}
	}
	c := HRESULT(errno)
	if c < 0x10000 { // the bindings make Windows' own codes of it again
		c |= 0x80070000
	}
	return (&Error{Op: op, Code: c, Detail: words(detail)}).refined(!windows.IsProcessorFeaturePresent(virtFirmwareEnabled))
}

// words are the service's own, out of the document that comes with a failure.
func words(detail string) string {
	var d struct{ ErrorMessage string }
	if json.Unmarshal([]byte(detail), &d) != nil {
		return ""
	}
	return d.ErrorMessage
}

// do runs one operation of the service and waits for its result, until ctx ends; the operation goes on then, and what it
// has made is the caller's to undo.
func do(ctx context.Context, name string, begin func(operation) error) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	op, err := hcsCreateOperation(0, 0)
	if op == 0 {
		return "", failed("HcsCreateOperation", err, "")
	}
	defer hcsCloseOperation(op)
	if err := begin(op); err != nil {
		return "", failed(name, err, "")
	}
	for {
		var result *uint16
		err := hcsWaitForOperationResult(op, waitStep, &result)
		text := taken(result)
		err = failed(name, err, text)
		if !errors.Is(err, code(operationTimeout)) {
			return text, err
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

func create(ctx context.Context, id string, doc []byte) (s system, err error) {
	_, err = do(ctx, "HcsCreateComputeSystem", func(op operation) error {
		return hcsCreateComputeSystem(id, string(doc), op, 0, &s)
	})
	if err != nil && s != 0 {
		hcsCloseComputeSystem(s)
		s = 0
	}
	return s, err
}

func open(id string) (s system, err error) {
	return s, failed("HcsOpenComputeSystem", hcsOpenComputeSystem(id, genericAll, &s), "")
}

func grant(id, file string) error {
	return failed("HcsGrantVmAccess", hcsGrantVmAccess(id, file), file)
}

func (s system) start(ctx context.Context) error {
	_, err := do(ctx, "HcsStartComputeSystem", func(op operation) error { return hcsStartComputeSystem(s, op, nil) })
	return err
}

func (s system) shutDown(ctx context.Context, options []byte) error {
	var p *uint16
	if options != nil {
		var err error
		if p, err = windows.UTF16PtrFromString(string(options)); err != nil {
			return err
		}
	}
	_, err := do(ctx, "HcsShutDownComputeSystem", func(op operation) error { return hcsShutDownComputeSystem(s, op, p) })
	return err
}

func (s system) pause(ctx context.Context) error {
	_, err := do(ctx, "HcsPauseComputeSystem", func(op operation) error { return hcsPauseComputeSystem(s, op, nil) })
	return err
}

func (s system) resume(ctx context.Context) error {
	_, err := do(ctx, "HcsResumeComputeSystem", func(op operation) error { return hcsResumeComputeSystem(s, op, nil) })
	return err
}

// terminate takes the power away; of a system that has ended it is no error.
func (s system) terminate(ctx context.Context) error {
	_, err := do(ctx, "HcsTerminateComputeSystem", func(op operation) error { return hcsTerminateComputeSystem(s, op, nil) })
	if errors.Is(err, code(alreadyStopped)) {
		return nil
	}
	return err
}

// properties are what the service says of a system.
type properties struct{ State, RuntimeId string }

func (s system) properties(ctx context.Context) (p properties, err error) {
	text, err := do(ctx, "HcsGetComputeSystemProperties", func(op operation) error { return hcsGetComputeSystemProperties(s, op, nil) })
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(text), &p)
}

// available asks whether the service is there at all.
func available() error {
	query, err := windows.UTF16PtrFromString(`{"PropertyTypes":["Basic"]}`)
	if err != nil {
		return err
	}
	var result *uint16
	err = hcsGetServiceProperties(query, &result)
	return failed("HcsGetServiceProperties", err, taken(result))
}
