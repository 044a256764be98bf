//go:build cgo && seccomp

package filter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// ErrUnsupported says that a profile asks for what a compiled program alone cannot do (a notification descriptor).
var ErrUnsupported = errors.New("seccomp profile needs a listener")

// Program is a compiled profile.
type Program struct {
	Code  []byte // struct sock_filter, native byte order
	Flags uint   // for seccomp(2)
}

// Supported says whether a compiled program is all that a profile needs.
func Supported(p *specs.LinuxSeccomp) bool {
	if p == nil {
		return true
	}
	notify := p.DefaultAction == specs.ActNotify || p.ListenerPath != ""
	for _, rule := range p.Syscalls {
		notify = notify || rule.Action == specs.ActNotify
	}
	_, err := loadFlags(p)
	return !notify && err == nil
}

func compile(p *specs.LinuxSeccomp) (*Program, error) {
	def, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	f, err := libseccomp.NewFilter(def)
	if err != nil {
		return nil, fmt.Errorf("making a seccomp filter: %w", err)
	}
	defer f.Release()
	if err := configure(f, p); err != nil {
		return nil, err
	}
	for _, rule := range p.Syscalls {
		if err := addRule(f, rule, def); err != nil {
			return nil, err
		}
	}
	code, err := export(f)
	if err != nil {
		return nil, fmt.Errorf("exporting a seccomp filter: %w", err)
	}
	stub, err := unknownCalls(p)
	if err != nil {
		return nil, err
	}
	flags, err := loadFlags(p)
	return &Program{Code: append(stub, code...), Flags: flags}, err
}

func configure(f *libseccomp.ScmpFilter, p *specs.LinuxSeccomp) error {
	for _, a := range p.Architectures {
		arch, err := archOf(a)
		if err != nil {
			return err
		}
		if err := f.AddArch(arch); err != nil {
			return fmt.Errorf("adding architecture %s to a seccomp filter: %w", a, err)
		}
	}
	if rules := len(p.Syscalls); rules > 0 {
		// A binary tree instead of a list; not known before libseccomp 2.5, where the list does.
		_ = f.SetOptimize(2)
	}
	return f.SetNoNewPrivsBit(false)
}

func addRule(f *libseccomp.ScmpFilter, rule specs.LinuxSyscall, def libseccomp.ScmpAction) error {
	act, err := action(rule.Action, rule.ErrnoRet)
	if err != nil {
		return err
	}
	if act == def {
		return nil
	}
	conds, err := conditions(rule.Args)
	if err != nil {
		return err
	}
	for _, name := range rule.Names {
		nr, err := libseccomp.GetSyscallFromName(name)
		if err != nil {
			continue // not a call of this machine
		}
		for _, set := range conds {
			if len(set) == 0 {
				err = f.AddRule(nr, act)
			} else {
				err = f.AddRuleConditional(nr, act, set)
			}
			if err != nil {
				return fmt.Errorf("seccomp rule for %s: %w", name, err)
			}
		}
	}
	return nil
}

// conditions are the sets under which a rule holds: all of them together, or, where two look at the same argument,
// which libseccomp cannot join, each alone. The second reading is runc's.
func conditions(args []specs.LinuxSeccompArg) ([][]libseccomp.ScmpCondition, error) {
	all := []libseccomp.ScmpCondition{}
	seen, twice := map[uint]bool{}, false
	for _, a := range args {
		op, ok := operators()[a.Op]
		if !ok {
			return nil, fmt.Errorf("seccomp operator %s is not known", a.Op)
		}
		c, err := libseccomp.MakeCondition(a.Index, op, a.Value, a.ValueTwo)
		if err != nil {
			return nil, fmt.Errorf("seccomp condition on argument %d: %w", a.Index, err)
		}
		twice = twice || seen[a.Index]
		seen[a.Index] = true
		all = append(all, c)
	}
	if !twice {
		return [][]libseccomp.ScmpCondition{all}, nil
	}
	var each [][]libseccomp.ScmpCondition
	for _, c := range all {
		each = append(each, []libseccomp.ScmpCondition{c})
	}
	return each, nil
}

func operators() map[specs.LinuxSeccompOperator]libseccomp.ScmpCompareOp {
	return map[specs.LinuxSeccompOperator]libseccomp.ScmpCompareOp{
		specs.OpEqualTo: libseccomp.CompareEqual, specs.OpNotEqual: libseccomp.CompareNotEqual,
		specs.OpGreaterThan: libseccomp.CompareGreater, specs.OpGreaterEqual: libseccomp.CompareGreaterEqual,
		specs.OpLessThan: libseccomp.CompareLess, specs.OpLessEqual: libseccomp.CompareLessOrEqual,
		specs.OpMaskedEqual: libseccomp.CompareMaskedEqual,
	}
}

func action(a specs.LinuxSeccompAction, errno *uint) (libseccomp.ScmpAction, error) {
	code := int16(unix.EPERM)
	if errno != nil {
		code = int16(*errno)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return libseccomp.ActKillThread, nil
	case specs.ActKillProcess:
		return libseccomp.ActKillProcess, nil
	case specs.ActErrno:
		return libseccomp.ActErrno.SetReturnCode(code), nil
	case specs.ActTrace:
		return libseccomp.ActTrace.SetReturnCode(code), nil
	case specs.ActTrap:
		return libseccomp.ActTrap, nil
	case specs.ActAllow:
		return libseccomp.ActAllow, nil
	case specs.ActLog:
		return libseccomp.ActLog, nil
	case specs.ActNotify:
		return libseccomp.ActInvalid, ErrUnsupported
	}
	return libseccomp.ActInvalid, fmt.Errorf("seccomp action %s is not known", a)
}

func archOf(a specs.Arch) (libseccomp.ScmpArch, error) {
	name := archNames()[a]
	if name == "" {
		return libseccomp.ArchInvalid, fmt.Errorf("seccomp architecture %s is not known", a)
	}
	return libseccomp.GetArchFromString(name)
}

func archNames() map[specs.Arch]string {
	return map[specs.Arch]string{
		specs.ArchX86: "x86", specs.ArchX86_64: "amd64", specs.ArchX32: "x32", specs.ArchARM: "arm", specs.ArchAARCH64: "arm64",
		specs.ArchMIPS: "mips", specs.ArchMIPS64: "mips64", specs.ArchMIPS64N32: "mips64n32", specs.ArchMIPSEL: "mipsel",
		specs.ArchMIPSEL64: "mipsel64", specs.ArchMIPSEL64N32: "mipsel64n32", specs.ArchPPC: "ppc", specs.ArchPPC64: "ppc64",
		specs.ArchPPC64LE: "ppc64le", specs.ArchS390: "s390", specs.ArchS390X: "s390x", specs.ArchRISCV64: "riscv64",
		specs.ArchLOONGARCH64: "loong64",
	}
}

func loadFlags(p *specs.LinuxSeccomp) (flags uint, err error) {
	for _, f := range p.Flags {
		switch f {
		case specs.LinuxSeccompFlagLog:
			flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC": // one thread is left at execve
		default:
			return 0, ErrUnsupported
		}
	}
	return flags, nil
}

// export reads the program that libseccomp writes to a descriptor.
func export(f *libseccomp.ScmpFilter) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	done := make(chan error, 1)
	go func() {
		err := f.ExportBPF(w)
		w.Close()
		done <- err
	}()
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	return b.Bytes(), errors.Join(err, <-done)
}
