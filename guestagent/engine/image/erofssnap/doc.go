// Package erofssnap is a snapshotter whose committed layers are EROFS images. It is containerd's overlayfs snapshotter
// with one difference: beside the directory of a committed layer, snapshots/ID/fs, lies layer.erofs, mounted there while
// the layer is in use, so that whoever reads or stacks layers finds directories as ever. A layer without an image is a
// directory as overlayfs has it.
//
// An image is written by who unpacks a layer (LayerFile), or made of the directory when a snapshot is committed. Images
// are mounted when a layer is asked for, and unmounted when it is removed and when the snapshotter is closed: overlays
// that stand on them keep them. What an engine that was killed left mounted goes when the next one opens the snapshotter.
package erofssnap
