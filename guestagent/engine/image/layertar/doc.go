// Package layertar unpacks one layer: it inflates the stream, checks what it hashes to, and writes the files by way of
// containerd's archive package into a directory that overlayfs can stack. It knows neither registries nor the content
// store, and starts no program.
package layertar
