package hyperv

import "fmt"

// HRESULT is a code of the service.
type HRESULT uint32

// Codes that something is done about.
const (
	hyperVNotInstalled HRESULT = 0x80370102
	invalidState       HRESULT = 0x80370105
	systemNotFound     HRESULT = 0x8037010E
	systemExists       HRESULT = 0x8037010F
	alreadyStopped     HRESULT = 0x80370110
	operationTimeout   HRESULT = 0x80370118
	serviceMissing     HRESULT = 0x80370114
	accessDenied       HRESULT = 0x8037011B
)

// trouble is what a code means to a person.
type trouble struct{ text, hint string }

const (
	hintPlatform = "Run as administrator: dism /online /enable-feature /featurename:VirtualMachinePlatform /all, then restart Windows."
	hintRights   = "Start berth from an elevated prompt, or join the group Hyper-V Administrators and sign in again."
	hintService  = "Run as administrator: sc start vmcompute"
	hintMemory   = "Close programs, or give the machine less: berth machine set --memory 1g"
	hintFirmware = "Enable it in the firmware's setup: Intel VT-x or AMD-V (SVM)."
)

// troubles by code. Those of Windows itself come as HRESULT_FROM_WIN32, those of the hypervisor in its own range.
var troubles = map[HRESULT]trouble{
	hyperVNotInstalled: {"the Virtual Machine Platform of Windows is not installed", hintPlatform},
	0x8007007E:         {"computecore.dll is missing: the Virtual Machine Platform of Windows is not installed, or this Windows is older than 10 1809", hintPlatform},
	0x8007007F:         {"computecore.dll is older than Windows 10 1809", "Update Windows."},
	accessDenied:       {"Windows lets administrators alone start virtual machines", hintRights},
	0x80070005:         {"Windows lets administrators alone start virtual machines", hintRights},
	serviceMissing:     {"the Host Compute Service does not run", hintService},
	0x80070424:         {"the Host Compute Service is not there", hintPlatform},
	0x80070422:         {"the Host Compute Service is disabled", "Run as administrator: sc config vmcompute start= demand"},
	0x800706BA:         {"the Host Compute Service does not answer", hintService},
	0x8037011E:         {"the Host Compute Service has gone away", hintService},
	0xC0351000: {
		"Windows' hypervisor does not run: another virtual machine monitor has the processor, or it was switched off",
		"Run as administrator: bcdedit /set hypervisorlaunchtype auto, then restart Windows. Under another hypervisor, nested virtualisation must be on.",
	},
	0x8007000E:       {"there is not enough memory for the machine", hintMemory},
	0x800705AA:       {"there is not enough memory for the machine", hintMemory},
	0x800705AF:       {"the paging file is too small for the machine", hintMemory},
	0xC035000B:       {"there is not enough memory for the machine", hintMemory},
	systemExists:     {"another virtual machine has its name", "berth machine doctor"},
	systemNotFound:   {"it is gone", "berth machine start"},
	0x8037010D:       {"this Windows does not understand the machine's description", "Update Windows, then berth."},
	invalidState:     {"it is in another state than this needs", "berth machine status"},
	operationTimeout: {"Windows does not answer in time", "berth machine doctor"},
	0x80070020:       {"a file of the machine is in use by another program", "Close the program that has it open; a disk that is attached to Windows must be detached."},
	0x80070002:       {"a file of the machine is missing", "berth machine doctor"},
}

// Error is a refusal of the service. Hint is what a person can do.
type Error struct {
	Op     string // the service's function
	Code   HRESULT
	Detail string // the service's own words; may be empty
	hint   string // where more is known than the code says
}

func (e *Error) Error() string {
	what := troubles[e.Code].text
	if what == "" {
		what = e.Detail
	}
	if what == "" {
		what = "Windows refuses"
	}
	return fmt.Sprintf("%s (%s: 0x%08X)", what, e.Op, uint32(e.Code))
}

// Hint is one sentence, or empty.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return troubles[e.Code].hint
}

// Is finds an Error by its code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Op == "" && t.Code == e.Code
}

func code(c HRESULT) error { return &Error{Code: c} }

// refined says of a missing platform which of the two reasons it is: Windows has one code for both.
func (e *Error) refined(firmwareOff bool) *Error {
	if e.Code == hyperVNotInstalled && firmwareOff {
		e.hint = hintFirmware
	}
	return e
}
