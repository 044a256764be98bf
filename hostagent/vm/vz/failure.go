package vz

import (
	"errors"
	"strings"
	"syscall"
)

// Failure is an NSError.
type Failure struct {
	Domain string
	Code   int64
	Text   string // what the framework says, for a person
}

// Domains of errors, and VZErrorDomain's codes that one can do something about.
const (
	domainVZ    = "VZErrorDomain"
	domainPOSIX = "NSPOSIXErrorDomain"

	codeInternal = 1
	codeConfig   = 2
	codeState    = 3
	codeDisk     = 5
	codeLimit    = 6
	codeNoSpace  = 8
)

// Error is the framework's text and what helps, where that is known.
func (f *Failure) Error() string {
	text := strings.TrimSpace(f.Text)
	if text == "" {
		text = f.Domain + " gave an error without words"
	}
	if help := f.help(); help != "" {
		text = strings.TrimSuffix(text, ".") + ": " + help
	}
	return text
}

// Unwrap makes a POSIX error the one that callers look for. What nobody listens for is reset, not refused.
func (f *Failure) Unwrap() error {
	if f.Domain != domainPOSIX {
		return nil
	}
	switch f.Code { // macOS's numbers, also where this is tested
	case 54, 61:
		return syscall.ECONNREFUSED
	case 60:
		return syscall.ETIMEDOUT
	case 24:
		return syscall.EMFILE
	}
	return nil
}

func (f *Failure) help() string {
	switch {
	case f.Domain != domainVZ:
		return ""
	case strings.Contains(f.Text, "entitlement"):
		return "berth-hostagent is not signed for it; install a release, or build with make dist-darwin, which signs it"
	case f.Code == codeDisk:
		return "the disk's file is damaged or no disk image; berth machine reset begins with an empty one"
	case f.Code == codeLimit:
		return "this Mac runs as many virtual machines as it may; stop another"
	case f.Code == codeNoSpace:
		return "the Mac's disk is full; make room and start again"
	case f.Code == codeInternal:
		return "what the guest printed: berth machine logs"
	}
	return ""
}

// failure reads an NSError.
func (s *script) failure(e object) error {
	if e == 0 {
		return errors.New("the framework does not say why")
	}
	r := script{rt: s.rt, table: s.table}
	f := &Failure{
		Domain: r.rt.text(object(r.call(e, "NSError -domain"))),
		Code:   int64(r.call(e, "NSError -code")),
		Text:   r.rt.text(object(r.call(e, "NSError -localizedDescription"))),
	}
	if why := r.rt.text(object(r.call(e, "NSError -localizedFailureReason"))); why != "" && why != f.Text {
		f.Text = strings.TrimSpace(f.Text + " " + why)
	}
	if r.err != nil {
		return r.err
	}
	return f
}
