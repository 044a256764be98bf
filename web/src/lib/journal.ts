// The lines of a log: at most a million, the oldest go. Escape sequences of terminals are taken out.
export type Line = { text: string; error: boolean };

const MOST = 1_000_000;
const LONGEST = 4000;
// eslint-disable-next-line no-control-regex
const ESCAPES = /\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|[\x00-\x08\x0b-\x1f\x7f]/g;

export class Journal {
  lines: Line[] = [];
  hits: number[] = [];
  #rest = ["", ""];
  #decoders = [new TextDecoder(), new TextDecoder()];
  #term = "";

  add(bytes: Uint8Array, error: boolean) {
    const i = error ? 1 : 0;
    const parts = (this.#rest[i] + this.#decoders[i].decode(bytes, { stream: true })).split("\n");
    this.#rest[i] = parts.pop() ?? "";
    if (this.#rest[i].length > LONGEST) { parts.push(this.#rest[i]); this.#rest[i] = ""; }
    for (const p of parts) this.#push({ text: p.replace(ESCAPES, "").slice(0, LONGEST), error });
    if (this.lines.length > MOST * 1.1) {
      this.lines = this.lines.slice(-MOST);
      this.search(this.#term);
    }
  }

  #push(l: Line) {
    if (this.#term && l.text.toLowerCase().includes(this.#term)) this.hits.push(this.lines.length);
    this.lines.push(l);
  }

  search(term: string) {
    this.#term = term.toLowerCase();
    this.hits = [];
    if (this.#term) this.lines.forEach((l, i) => l.text.toLowerCase().includes(this.#term) && this.hits.push(i));
  }

  get shown() { return this.#term ? this.hits.length : this.lines.length; }
  at(i: number): Line { return this.lines[this.#term ? this.hits[i] : i]; }
}
