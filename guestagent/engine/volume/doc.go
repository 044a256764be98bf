// Package volume keeps named volumes: their directories, labels and options, who uses them, and what is mounted for
// them. It knows of containers only that they have IDs. What is inside a volume belongs to containers and is hostile.
package volume
