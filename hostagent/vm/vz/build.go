package vz

import (
	"fmt"
	"os"
)

// Numbers of the framework's enumerations.
const (
	cachingCached  int64 = 2 // VZDiskImageCachingModeCached
	syncFsync      int64 = 2 // VZDiskImageSynchronizationModeFsync
	rosettaPresent       = 2 // VZLinuxRosettaAvailabilityInstalled

	stateStopped = 0 // VZVirtualMachineState
	stateError   = 3
)

// host asks the framework what it offers.
func (s *script) host(h Host) Host {
	if !isTrue(s.static("VZVirtualMachine +isSupported")) && s.err == nil {
		s.err = fmt.Errorf("this Mac cannot hold virtual machines: its processor has no support, or macOS runs in one itself")
	}
	h.MaxCPUs = int(s.static("VZVirtualMachineConfiguration +maximumAllowedCPUCount"))
	h.MinMemory = int64(s.static("VZVirtualMachineConfiguration +minimumAllowedMemorySize"))
	h.MaxMemory = int64(s.static("VZVirtualMachineConfiguration +maximumAllowedMemorySize"))
	if h.Arch == "arm64" && s.has("VZLinuxRosettaDirectoryShare +availability") {
		h.Rosetta = s.static("VZLinuxRosettaDirectoryShare +availability") == rosettaPresent
	}
	if s.has("VZGenericPlatformConfiguration +isNestedVirtualizationSupported") {
		h.Nested = isTrue(s.static("VZGenericPlatformConfiguration +isNestedVirtualizationSupported"))
	}
	return h
}

// has says whether this macOS knows a method that not all do.
func (s *script) has(name string) bool {
	m, err := s.table.find(name)
	if err != nil {
		s.err = err
		return false
	}
	_, ok := s.rt.understands(m)
	return ok
}

// configuration makes the framework's description of a machine out of a plan. console is where the guest's console is
// written to, and stays open as long as the machine.
func (s *script) configuration(p Plan, console *os.File) object {
	c := s.create("VZVirtualMachineConfiguration -init")
	s.call(c, "VZVirtualMachineConfiguration -setCPUCount:", uint64(p.CPUs))
	s.call(c, "VZVirtualMachineConfiguration -setMemorySize:", uint64(p.Memory))
	s.call(c, "VZVirtualMachineConfiguration -setBootLoader:", s.bootLoader(p))
	s.call(c, "VZVirtualMachineConfiguration -setPlatform:", s.platform(p))
	s.call(c, "VZVirtualMachineConfiguration -setStorageDevices:", s.array(s.disks(p)...))
	s.call(c, "VZVirtualMachineConfiguration -setSerialPorts:", s.array(s.serialPort(console)))
	s.call(c, "VZVirtualMachineConfiguration -setEntropyDevices:", s.array(s.create("VZVirtioEntropyDeviceConfiguration -init")))
	s.call(c, "VZVirtualMachineConfiguration -setMemoryBalloonDevices:", s.array(s.create("VZVirtioTraditionalMemoryBalloonDeviceConfiguration -init")))
	s.call(c, "VZVirtualMachineConfiguration -setSocketDevices:", s.array(s.create("VZVirtioSocketDeviceConfiguration -init")))
	if p.Rosetta != "" {
		s.call(c, "VZVirtualMachineConfiguration -setDirectorySharingDevices:", s.array(s.rosetta(p.Rosetta)))
	}
	var failure object
	if !isTrue(s.call(c, "VZVirtualMachineConfiguration -validateWithError:", &failure)) {
		s.failed("the framework refuses the machine's description", failure)
	}
	return c
}

func (s *script) bootLoader(p Plan) object {
	l := s.create("VZLinuxBootLoader -initWithKernelURL:", s.url(p.Kernel))
	if p.Initrd != "" {
		s.call(l, "VZLinuxBootLoader -setInitialRamdiskURL:", s.url(p.Initrd))
	}
	s.call(l, "VZLinuxBootLoader -setCommandLine:", s.rt.newString(p.commandLine()))
	return l
}

func (s *script) platform(p Plan) object {
	o := s.create("VZGenericPlatformConfiguration -init")
	if p.Nested {
		s.call(o, "VZGenericPlatformConfiguration -setNestedVirtualizationEnabled:", true)
	}
	return o
}

func (s *script) disks(p Plan) (all []object) {
	for _, d := range p.Disks {
		var failure object
		a := s.create("VZDiskImageStorageDeviceAttachment -initWithURL:readOnly:cachingMode:synchronizationMode:error:",
			s.url(d.Path), d.ReadOnly, cachingCached, syncFsync, &failure)
		if a == 0 {
			s.failed("the disk "+d.Path, failure)
		}
		all = append(all, s.create("VZVirtioBlockDeviceConfiguration -initWithAttachment:", a))
	}
	return all
}

// serialPort is the guest's console, which nobody types at.
func (s *script) serialPort(console *os.File) object {
	out := s.create("NSFileHandle -initWithFileDescriptor:", int32(console.Fd()))
	port := s.create("VZVirtioConsoleDeviceSerialPortConfiguration -init")
	s.call(port, "VZSerialPortConfiguration -setAttachment:",
		s.create("VZFileHandleSerialPortAttachment -initWithFileHandleForReading:fileHandleForWriting:", object(0), out))
	return port
}

// rosetta is the file system with Apple's translator of amd64 programs.
func (s *script) rosetta(tag string) object {
	var failure object
	share := s.create("VZLinuxRosettaDirectoryShare -initWithError:", &failure)
	if share == 0 {
		s.failed("Rosetta", failure)
	}
	d := s.create("VZVirtioFileSystemDeviceConfiguration -initWithTag:", s.rt.newString(tag))
	s.call(d, "VZVirtioFileSystemDeviceConfiguration -setShare:", share)
	return d
}
