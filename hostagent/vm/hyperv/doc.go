// Package hyperv drives virtual machines by Windows' Host Compute Service, computecore.dll. What a machine is asked to be
// is written by package document; this one hands it over and keeps the machine's life. Only cmd/berth-hostagent imports it.
//
// A machine outlives the process that started it: the service holds it under a name that its directory always has, so
// Driver is a vm.Attacher without a keeper. The service answers through operations, and tells of a machine's end by a
// callback from a thread of its own, in which nothing of the service may be called.
package hyperv
