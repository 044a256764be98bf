// The engine's frames around output without a terminal: kind, three zeros, length, bytes.
export function demux(each: (bytes: Uint8Array, error: boolean) => void): (bytes: Uint8Array) => void {
  let rest = new Uint8Array(0);
  return (bytes) => {
    let b = bytes;
    if (rest.length > 0) {
      b = new Uint8Array(rest.length + bytes.length);
      b.set(rest);
      b.set(bytes, rest.length);
    }
    let at = 0;
    const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
    while (b.length - at >= 8) {
      const n = view.getUint32(at + 4);
      if (b.length - at - 8 < n) break;
      each(b.subarray(at + 8, at + 8 + n), b[at] === 2);
      at += 8 + n;
    }
    rest = b.slice(at);
  };
}
