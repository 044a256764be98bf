// Package editapi is what the engine and its clients say to each other about editing a container: the bodies of
// POST /berth/containers/{id}/edit. It holds no behaviour but the texts of a plan.
package editapi

import (
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// Change is what is to be different. What is nil or empty stays.
type Change struct {
	Name          string                   `json:",omitempty"`
	Memory        *int64                   `json:",omitempty"` // bytes; 0 is no limit
	NanoCPUs      *int64                   `json:",omitempty"` // 1e9 is one CPU; 0 is no limit
	RestartPolicy *container.RestartPolicy `json:",omitempty"`
	PublishAdd    network.PortMap          `json:",omitempty"`
	PublishRemove []string                 `json:",omitempty"` // [address:]host-port[/protocol], without a protocol all of them
	EnvSet        []string                 `json:",omitempty"` // NAME=value
	EnvRemove     []string                 `json:",omitempty"` // NAME
	VolumeAdd     []string                 `json:",omitempty"` // as -v takes them
	VolumeRemove  []string                 `json:",omitempty"` // the place in the container
	LinkAdd       []string                 `json:",omitempty"` // container[:alias]
	LinkRemove    []string                 `json:",omitempty"` // the alias
	// Wait is how many seconds a successor with a health check may take to show that it is not well; 0 is 60.
	Wait int `json:",omitempty"`
}

// Step is one difference that a plan makes.
type Step struct {
	Field     string // "name", "memory", "cpus", "restart", "publish", "env", "volume" or "link"
	From, To  string // as the flags of run say it; "" is nothing
	Successor bool   // it takes a successor; else it changes while the container runs
}

// Plan is what an edit does.
type Plan struct {
	ID, Name string
	Steps    []Step
	// Stops says that the container is stopped and its successor started: its services are away for as long.
	Stops bool
	// StopTimeout is how many seconds the container is given to end before it is killed, where it is stopped.
	StopTimeout int `json:",omitempty"`
	// Compose names the project's file whose next "up" would undo the edit; nil where the container is of no project.
	Compose *Compose `json:",omitempty"`
}

// Successor says whether any step takes one.
func (p *Plan) Successor() bool {
	for _, s := range p.Steps {
		if s.Successor {
			return true
		}
	}
	return false
}

// Compose is where a container of a Compose project is described.
type Compose struct {
	Project, Service string
	Files            []string // absolute, on the computer of whoever ran Compose
}
