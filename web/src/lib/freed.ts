// What removing images frees: a layer that several of them share counts once, one that a kept image has not at all.
import { engine } from "./api";
import type { Image } from "./live.svelte";

type Layer = { id: string; size: number };

async function layers(i: Image): Promise<Layer[]> {
  const [about, history] = await Promise.all([engine<{ RootFS?: { Layers?: string[] } }>(`/images/${i.Id}/json`), engine<{ Size: number }[]>(`/images/${i.Id}/history`)]);
  const ids = about.RootFS?.Layers ?? [], sizes = history.map((h) => h.Size).filter((n) => n > 0).reverse();
  // A history that does not tell each layer's size leaves the image one piece, by its topmost layer.
  if (ids.length !== sizes.length) return [{ id: ids.join(" "), size: i.Size ?? 0 }];
  // An engine may keep the compressed layers too and count them in the image's size only; each layer has its part of that.
  const kept = (i.Size ?? 0) / sizes.reduce((a, n) => a + n, 0);
  // A layer is what it is with those below: the same difference above others is another on disk.
  return ids.map((_, n) => ({ id: ids.slice(0, n + 1).join(" "), size: Math.round(sizes[n] * kept) }));
}

/** About how many bytes removing some of all images frees. */
export async function freed(removed: Image[], all: Image[]): Promise<number> {
  const gone = new Set(removed.map((i) => i.Id));
  const kept = new Set((await Promise.all(all.filter((i) => !gone.has(i.Id)).map(layers))).flat().map((l) => l.id));
  const once = new Map((await Promise.all(removed.map(layers))).flat().filter((l) => !kept.has(l.id)).map((l) => [l.id, l.size]));
  return [...once.values()].reduce((a, n) => a + n, 0);
}
