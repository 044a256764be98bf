// A tar of files, as the engine takes them into a container (ustar).
const encode = (s: string) => new TextEncoder().encode(s);

export function tar(files: File[]): Blob {
  const parts: BlobPart[] = [];
  for (const f of files) {
    parts.push(header(f.name, f.size, Math.floor(f.lastModified / 1000)), f, new Uint8Array((512 - (f.size % 512)) % 512));
  }
  parts.push(new Uint8Array(1024));
  return new Blob(parts, { type: "application/x-tar" });
}

function header(name: string, size: number, time: number): Uint8Array<ArrayBuffer> {
  const h = new Uint8Array(512);
  const put = (at: number, s: string) => h.set(encode(s), at);
  const octal = (n: number, width: number) => n.toString(8).padStart(width, "0");
  const bytes = encode(name);
  if (bytes.length > 100) throw new Error(`${name}: a name of more than 100 bytes`);
  h.set(bytes, 0);
  put(100, "0000644\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, octal(size, 11) + "\0");
  put(136, octal(time, 11) + "\0");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\x0000");
  put(148, octal(h.reduce((a, b) => a + b, 0), 6) + "\0 ");
  return h;
}
