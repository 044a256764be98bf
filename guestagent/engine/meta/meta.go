// Package meta is berth's own database: one bbolt file with a bucket a noun, JSON records, ordered migrations. What
// containerd's packages keep is not here. It must not import any other package of the engine.
package meta
