// What went wrong or was done, for the person to read; errors stay until they are closed.
import { Failure } from "./api";

export type Notice = { id: number; bad: boolean; text: string; hint: string };

class Notices {
  all = $state<Notice[]>([]);
  #next = 0;
  #add(bad: boolean, text: string, hint = "") {
    const id = this.#next++;
    this.all.push({ id, bad, text, hint });
    if (!bad) setTimeout(() => this.drop(id), 4000);
  }
  say(text: string) { this.#add(false, text); }
  fail(e: unknown) {
    const f = e as Failure;
    this.#add(true, f.message, f.hint);
  }
  drop(id: number) { this.all = this.all.filter((n) => n.id !== id); }
}
export const notices = new Notices();

/** Does something and tells if it failed. */
export async function attempt(what: () => Promise<unknown>, done = ""): Promise<boolean> {
  try {
    await what();
    if (done) notices.say(done);
    return true;
  } catch (e) {
    notices.fail(e);
    return false;
  }
}
