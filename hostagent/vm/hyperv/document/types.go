package document

// System describes a virtual machine to HcsCreateComputeSystem. Field names are the service's own.
type System struct {
	Owner         string
	SchemaVersion Version
	// ShouldTerminateOnLastHandleClosed is never set: a machine outlives the host agent.
	ShouldTerminateOnLastHandleClosed bool `json:",omitempty"`
	VirtualMachine                    VirtualMachine
}

// Version is that of a schema.
type Version struct{ Major, Minor uint32 }

// VirtualMachine is its hardware.
type VirtualMachine struct {
	StopOnReset     bool // a guest that resets itself, as one that panics does, ends
	Chipset         Chipset
	ComputeTopology Topology
	Devices         Devices
}

// Chipset says what is booted: one of the two.
type Chipset struct {
	UseUtc            bool
	LinuxKernelDirect *LinuxKernelDirect `json:",omitempty"` // amd64
	Uefi              *Uefi              `json:",omitempty"` // arm64
}

// LinuxKernelDirect boots a kernel without firmware.
type LinuxKernelDirect struct {
	KernelFilePath string
	InitRdPath     string `json:",omitempty"`
	KernelCmdLine  string
}

// Uefi boots a kernel that is a program of UEFI.
type Uefi struct{ BootThis UefiBootEntry }

// UefiBootEntry names it: a file of a directory of the host, and its command line.
type UefiBootEntry struct {
	DeviceType    string
	VmbFsRootPath string
	DevicePath    string
	OptionalData  string
}

// Topology is memory and processors.
type Topology struct {
	Memory    Memory
	Processor Processor
}

// Memory is backed by what the host has when the guest uses it, and given back where the guest reports pages as free.
type Memory struct {
	SizeInMB              uint64
	AllowOvercommit       bool
	EnableDeferredCommit  bool
	EnableColdDiscardHint bool `json:",omitempty"`
}

// Processor are the virtual processors.
type Processor struct{ Count uint32 }

// Devices are the rest.
type Devices struct {
	ComPorts map[string]ComPort `json:",omitempty"`
	Scsi     map[string]Scsi    `json:",omitempty"`
	HvSocket HvSocket
}

// ComPort is a serial port: bytes through a named pipe.
type ComPort struct{ NamedPipe string }

// Scsi is a controller with its disks, by place.
type Scsi struct{ Attachments map[string]Attachment }

// Attachment is a disk.
type Attachment struct {
	Type                     string
	Path                     string
	ReadOnly                 bool `json:",omitempty"`
	SupportCompressedVolumes bool `json:",omitempty"`
}

// HvSocket is the link to the guest.
type HvSocket struct{ HvSocketConfig HvSocketConfig }

// HvSocketConfig says who may use it, in Windows' notation of security descriptors.
type HvSocketConfig struct {
	DefaultBindSecurityDescriptor    string
	DefaultConnectSecurityDescriptor string
}

// ShutdownOptions presses the power button by the guest's integration service.
type ShutdownOptions struct{ Mechanism, Type string }
