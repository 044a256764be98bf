// Package hostagent is the Agent: it holds one virtual machine through its life and wires what crosses to it. Its state
// is drawn at machineapi.State; the verbs are those of `berth machine`, each of which may be said again.
//
// The machine itself is a vm.Machine of some driver; the guest is reached by hostagent/guestlink (control),
// hostagent/dockerproxy (the Docker API) and hostagent/portforward (published ports), which know nothing of one another.
package hostagent
