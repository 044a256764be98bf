package main

import (
	"os"

	"github.com/berthhq/berth/hostagent/keeper"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/vz"
)

// preferred drives a machine that nobody chose a driver for.
const preferred = "vz"

// held are the drivers whose machines end with the process that starts them, by name: this is the only place that names
// one.
func held(func(line string)) map[string]vm.Driver {
	return map[string]vm.Driver{"vz": vz.New()}
}

// drivers are what the agent uses: each machine in a keeper, which is this program again, so that an exception of
// Objective-C ends one machine and no agent. A Mac has no name for what runs but the program's file.
func drivers() map[string]vm.Driver {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	out := map[string]vm.Driver{}
	for name, d := range held(nil) {
		out[name] = &keeper.Driver{Driver: d, Command: []string{self, "keep", name}}
	}
	return out
}
