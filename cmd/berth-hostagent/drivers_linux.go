package main

import (
	"github.com/berthhq/berth/hostagent/keeper"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/qemu"
)

// preferred drives a machine that nobody chose a driver for.
const preferred = "qemu"

// held are the drivers whose machines end with the process that starts them, by name: this is the only place that names
// one. log is told what guests do wrong.
func held(log func(line string)) map[string]vm.Driver {
	return map[string]vm.Driver{"qemu": &qemu.Driver{Log: log}}
}

// drivers are what the agent uses: each machine in a keeper, which is this program again. It is named by what runs, not
// by its file: that may have been replaced by another version's meanwhile.
func drivers() map[string]vm.Driver {
	out := map[string]vm.Driver{}
	for name, d := range held(nil) {
		out[name] = &keeper.Driver{Driver: d, Command: []string{"/proc/self/exe", "keep", name}}
	}
	return out
}
