package document

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Machine is what a document is made of. Paths are Windows' own, absolute.
type Machine struct {
	Owner  string // by which machines are found again
	User   string // SID of whom the machine belongs to, S-1-...
	Arch   string // amd64 or arm64
	Kernel string // arm64: in one directory with the initrd
	Initrd string // may be empty

	Cmdline []string
	Memory  int64 // bytes, a multiple of 2 MiB
	CPUs    int
	Disks   []Disk // at most MaxDisks
	Console string // named pipe that serves COM1; may be empty
}

// Disk is one VHDX.
type Disk struct {
	Path     string
	ReadOnly bool
}

// MaxDisks is how many a SCSI controller has places for.
const MaxDisks = 64

// guestWords are what every guest under Hyper-V is told: it resets when it panics, reports free memory in pieces that
// Windows takes (2 MiB on amd64), and follows the host's clock without a daemon.
var guestWords = []string{"panic=-1", "hv_utils.timesync_implicit=1"}

var guestWordsByArch = map[string][]string{
	"amd64": {"console=ttyS0", "page_reporting.page_reporting_order=9"},
	"arm64": {"console=ttyAMA0", "page_reporting.page_reporting_order=9"},
}

// Compose makes the document for a build of Windows. Fields that it does not know are left out where the machine works
// without; errors are *UnfitError where it would not, and others for a Machine that makes no sense.
func Compose(m Machine, b Build) (System, error) {
	if err := b.check(m.Arch); err != nil {
		return System{}, err
	}
	if err := m.check(); err != nil {
		return System{}, err
	}
	boot, err := m.chipset()
	if err != nil {
		return System{}, err
	}
	who := Descriptor(m.User)
	s := System{Owner: m.Owner, SchemaVersion: b.Schema(), VirtualMachine: VirtualMachine{
		StopOnReset: true,
		Chipset:     boot,
		ComputeTopology: Topology{
			Memory: Memory{
				SizeInMB: uint64(m.Memory >> 20), AllowOvercommit: true, EnableDeferredCommit: true,
				EnableColdDiscardHint: knows(b, "VirtualMachine_Memory", "EnableColdDiscardHint"),
			},
			Processor: Processor{Count: uint32(m.CPUs)},
		},
		Devices: Devices{
			Scsi:     m.scsi(b),
			HvSocket: HvSocket{HvSocketConfig{DefaultBindSecurityDescriptor: who, DefaultConnectSecurityDescriptor: who}},
		},
	}}
	if m.Console != "" {
		s.VirtualMachine.Devices.ComPorts = map[string]ComPort{"0": {NamedPipe: m.Console}}
	}
	return s, nil
}

func (m Machine) check() error {
	switch {
	case !ValidSID(m.User):
		return fmt.Errorf("%q is not the SID of a user", m.User)
	case m.Memory <= 0 || m.Memory%(2<<20) != 0:
		return fmt.Errorf("%d bytes of memory: Hyper-V wants a multiple of 2 MiB", m.Memory)
	case m.CPUs < 1:
		return fmt.Errorf("%d processors", m.CPUs)
	case len(m.Disks) > MaxDisks:
		return fmt.Errorf("%d disks: %d are possible", len(m.Disks), MaxDisks)
	}
	return nil
}

// chipset says how the guest is booted. Hyper-V loads a Linux kernel by itself on amd64 only; on arm64 its firmware
// starts the kernel, which is a program of UEFI too, and that reads its initrd beside it.
func (m Machine) chipset() (Chipset, error) {
	words := append(append(append([]string(nil), guestWordsByArch[m.Arch]...), guestWords...), m.Cmdline...)
	switch m.Arch {
	case "amd64":
		return Chipset{UseUtc: true, LinuxKernelDirect: &LinuxKernelDirect{
			KernelFilePath: m.Kernel, InitRdPath: m.Initrd, KernelCmdLine: strings.Join(words, " "),
		}}, nil
	case "arm64":
		dir, kernel := split(m.Kernel)
		if m.Initrd != "" {
			beside, initrd := split(m.Initrd)
			if beside != dir {
				return Chipset{}, fmt.Errorf("%s and %s are not in one directory", m.Kernel, m.Initrd)
			}
			words = append([]string{`initrd=\` + initrd}, words...)
		}
		return Chipset{UseUtc: true, Uefi: &Uefi{BootThis: UefiBootEntry{
			DeviceType: "VmbFs", VmbFsRootPath: dir, DevicePath: `\` + kernel, OptionalData: strings.Join(words, " "),
		}}}, nil
	}
	return Chipset{}, fmt.Errorf("architecture %q: only amd64 and arm64 are known", m.Arch)
}

// split takes a Windows path apart, on any system.
func split(p string) (dir, file string) {
	dir, file = path.Split(strings.ReplaceAll(p, `\`, "/"))
	return strings.ReplaceAll(strings.TrimSuffix(dir, "/"), "/", `\`), file
}

func (m Machine) scsi(b Build) map[string]Scsi {
	if len(m.Disks) == 0 {
		return nil
	}
	at := map[string]Attachment{}
	for i, d := range m.Disks {
		at[fmt.Sprint(i)] = Attachment{
			Type: "VirtualDisk", Path: d.Path, ReadOnly: d.ReadOnly,
			SupportCompressedVolumes: knows(b, "Attachment", "SupportCompressedVolumes"),
		}
	}
	return map[string]Scsi{"0": {Attachments: at}}
}

// Descriptor lets Windows itself and one user in, and nobody else.
func Descriptor(userSID string) string { return fmt.Sprintf("D:P(A;;FA;;;SY)(A;;FA;;;%s)", userSID) }

var sid = regexp.MustCompile(`^S-1(-[0-9]{1,10}){2,15}$`)

// ValidSID says whether a text is a security identifier in full: no alias, nothing that ends an entry of a descriptor.
func ValidSID(text string) bool { return sid.MatchString(text) }

// PowerButton asks the guest to end; nil where the service takes no options: there HcsShutDownComputeSystem knows one way.
func PowerButton(b Build) *ShutdownOptions {
	if !knows(b, "ShutdownOptions", "Mechanism") {
		return nil
	}
	return &ShutdownOptions{Mechanism: "IntegrationService", Type: "Shutdown"}
}
