//go:build cgo && seccomp

package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// x32Bit marks a system call of the x32 ABI, which shares x86-64's architecture number (asm/unistd.h).
const x32Bit = 0x40000000

// unknownCalls is code that runs before the filter and answers ENOSYS to system calls newer than any that the profile
// names. C libraries fall back to an older call on ENOSYS but not on EPERM, the usual default.
func unknownCalls(p *specs.LinuxSeccomp) ([]byte, error) {
	if p.DefaultAction == specs.ActAllow || p.DefaultAction == specs.ActLog {
		return nil, nil // what such a profile does not name is meant to work
	}
	ret := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	var prog []bpf.Instruction
	for audit, arch := range nativeArchs() {
		last := newest(p, arch)
		if last == 0 {
			continue
		}
		section := []bpf.Instruction{
			bpf.LoadAbsolute{Off: 4, Size: 4}, // seccomp_data.arch
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: audit, SkipTrue: 4},
			bpf.LoadAbsolute{Off: 0, Size: 4}, // seccomp_data.nr
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: x32Bit, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: uint32(last), SkipTrue: 1},
			ret,
		}
		prog = append(prog, section...)
	}
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, fmt.Errorf("assembling a seccomp filter: %w", err)
	}
	var b bytes.Buffer
	for _, i := range raw {
		if err := binary.Write(&b, binary.NativeEndian, unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// nativeArchs are the architectures whose programs this machine's kernel runs, by audit number.
func nativeArchs() map[uint32]libseccomp.ScmpArch {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return nil
	}
	switch native {
	case libseccomp.ArchAMD64:
		return map[uint32]libseccomp.ScmpArch{unix.AUDIT_ARCH_X86_64: native, unix.AUDIT_ARCH_I386: libseccomp.ArchX86}
	case libseccomp.ArchARM64:
		return map[uint32]libseccomp.ScmpArch{unix.AUDIT_ARCH_AARCH64: native, unix.AUDIT_ARCH_ARM: libseccomp.ArchARM}
	}
	return nil
}

// newest is the highest call number of an architecture that the profile names.
func newest(p *specs.LinuxSeccomp, arch libseccomp.ScmpArch) (last libseccomp.ScmpSyscall) {
	for _, rule := range p.Syscalls {
		for _, name := range rule.Names {
			if nr, err := libseccomp.GetSyscallFromNameByArch(name, arch); err == nil && nr < x32Bit {
				last = max(last, nr)
			}
		}
	}
	return last
}
