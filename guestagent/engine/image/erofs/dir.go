package erofs

import "encoding/binary"

const direntSize = 12

// direntTypes are the kinds of files as directories have them.
var direntTypes = map[uint32]byte{
	TypeFile: 1, TypeDir: 2, TypeChar: 3, TypeBlock: 4, TypeFIFO: 5, TypeSocket: 6, TypeLink: 7,
}

// dirBlocks splits entries into blocks: in each the heads come first and the names behind them.
func dirBlocks(list []entry) (blocks [][]entry) {
	start, used := 0, 0
	for i, e := range list {
		need := direntSize + len(e.name)
		if used+need > BlockSize {
			blocks = append(blocks, list[start:i])
			start, used = i, 0
		}
		used += need
	}
	return append(blocks, list[start:])
}

// dirSize is how many bytes a directory has: full blocks and what the last one needs.
func dirSize(list []entry) int {
	blocks := dirBlocks(list)
	size := (len(blocks) - 1) * BlockSize
	for _, e := range blocks[len(blocks)-1] {
		size += direntSize + len(e.name)
	}
	return size
}

// appendDir writes a directory's bytes. All of its entries must have their place.
func appendDir(b []byte, list []entry) []byte {
	for i, block := range dirBlocks(list) {
		if i > 0 && len(b)%BlockSize != 0 {
			b = append(b, make([]byte, BlockSize-len(b)%BlockSize)...)
		}
		at := len(block) * direntSize
		for _, e := range block {
			b = binary.LittleEndian.AppendUint64(b, e.node.nid)
			b = binary.LittleEndian.AppendUint16(b, uint16(at))
			b = append(b, direntTypes[e.node.Kind()], 0)
			at += len(e.name)
		}
		for _, e := range block {
			b = append(b, e.name...)
		}
	}
	return b
}
