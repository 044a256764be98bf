package hyperv

import "golang.org/x/sys/windows"

// The bindings are made once and kept. mkwinsyscall is a program for Windows; scripts/wine.sh runs it:
//
//	mkwinsyscall.exe -output zsyscall_windows.go syscall_windows.go

// operation and system are handles of the service.
type (
	operation windows.Handle
	system    windows.Handle
)

//sys hcsCreateOperation(context uintptr, callback uintptr) (op operation, err error) = computecore.HcsCreateOperation?
//sys hcsCloseOperation(op operation) = computecore.HcsCloseOperation
//sys hcsWaitForOperationResult(op operation, timeoutMs uint32, result **uint16) (hr error) = computecore.HcsWaitForOperationResult?
//sys hcsCreateComputeSystem(id string, configuration string, op operation, sd uintptr, s *system) (hr error) = computecore.HcsCreateComputeSystem?
//sys hcsOpenComputeSystem(id string, access uint32, s *system) (hr error) = computecore.HcsOpenComputeSystem?
//sys hcsCloseComputeSystem(s system) = computecore.HcsCloseComputeSystem
//sys hcsStartComputeSystem(s system, op operation, options *uint16) (hr error) = computecore.HcsStartComputeSystem?
//sys hcsShutDownComputeSystem(s system, op operation, options *uint16) (hr error) = computecore.HcsShutDownComputeSystem?
//sys hcsTerminateComputeSystem(s system, op operation, options *uint16) (hr error) = computecore.HcsTerminateComputeSystem?
//sys hcsPauseComputeSystem(s system, op operation, options *uint16) (hr error) = computecore.HcsPauseComputeSystem?
//sys hcsResumeComputeSystem(s system, op operation, options *uint16) (hr error) = computecore.HcsResumeComputeSystem?
//sys hcsGetComputeSystemProperties(s system, op operation, query *uint16) (hr error) = computecore.HcsGetComputeSystemProperties?
//sys hcsSetComputeSystemCallback(s system, options uint32, context uintptr, callback uintptr) (hr error) = computecore.HcsSetComputeSystemCallback?
//sys hcsGetServiceProperties(query *uint16, result **uint16) (hr error) = computecore.HcsGetServiceProperties?
//sys hcsGrantVmAccess(id string, path string) (hr error) = computecore.HcsGrantVmAccess?
