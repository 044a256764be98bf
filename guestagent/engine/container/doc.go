// Package container is the life of containers: their records, names and states, what happens when one starts and
// ends, restart policies, health checks, exec. It decides and keeps books; it starts nothing itself: images, networks,
// volumes and the runtime are the small interfaces it declares. It must not import package api.
//
// Locks: Service.mu guards the index and the exec table. Each entry has a turn, which one operation (start, stop,
// remove …) holds at a time and may hold for long, and a mu for its record, held for moments. Order: an entry's turn,
// Service.mu, an entry's mu. Nothing is called on an interface with a mu held.
package container
