// A pull under way, a bar a layer.
import { Failure, lines, query, stream } from "./api";

export type Layer = { id: string; status: string; now: number; all: number };
type Step = { id?: string; status?: string; error?: string; progressDetail?: { current?: number; total?: number } };

export class Pull {
  layers = $state<Layer[]>([]);
  text = $state("");
  error = $state("");
  done = $state(false);
  constructor(readonly image: string) {}

  run(): Promise<void> {
    const ref = /[:@][^/]*$/.test(this.image) ? this.image : this.image + ":latest";
    return new Promise((ok, bad) => {
      stream("/images/create" + query({ fromImage: ref }), {
        method: "POST",
        data: lines<Step>((s) => this.#step(s)),
        end: (why) => {
          this.done = true;
          this.error ||= why?.message ?? "";
          if (this.error) bad(new Failure(this.error, why?.status ?? 0, why?.hint));
          else ok();
        },
      });
    });
  }

  #step(s: Step) {
    if (s.error) this.error = s.error;
    if (!s.id || !s.progressDetail) { if (s.status) this.text = s.status; return; }
    let l = this.layers.find((x) => x.id === s.id);
    if (!l) { this.layers.push({ id: s.id, status: "", now: 0, all: 0 }); l = this.layers[this.layers.length - 1]; }
    l.status = s.status ?? "";
    if (s.progressDetail.total) { l.now = s.progressDetail.current ?? 0; l.all = s.progressDetail.total; }
    if (/complete|exists/i.test(l.status)) { l.all ||= 1; l.now = l.all; }
  }
}
