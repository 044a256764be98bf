// Words of the page: every sentence is in both message files.
import en from "../i18n/en.json";
import ko from "../i18n/ko.json";

export type Key = keyof typeof en;
export type Language = "en" | "ko";

const files: Record<Language, Record<Key, string>> = { en, ko };
const kept = localStorage.getItem("berth.language");
const first: Language = kept === "ko" || kept === "en" ? kept : navigator.language.startsWith("ko") ? "ko" : "en";

class Words {
  language = $state<Language>(first);
  choose(l: Language) {
    this.language = l;
    localStorage.setItem("berth.language", l);
  }
}
export const words = new Words();

/** The sentence of a key, with {name} replaced, and {n|one|many} by the word for the number n. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return files[words.language][key].replace(/\{(\w+)\|([^|}]*)\|([^}]*)\}/g, (_, k, one, many) => (String(values[k]) === "1" ? one : many)).replace(/\{(\w+)\}/g, (_, k) => String(values[k] ?? ""));
}

/** A key made of a word that comes from the engine; the word itself where no sentence is there for it. */
export const word = (prefix: string, w: string): string => (files[words.language] as Record<string, string>)[`${prefix}.${w}`] ?? w;

const locale = () => (words.language === "ko" ? "ko-KR" : "en-GB");
const units = ["B", "kB", "MB", "GB", "TB"];

export function bytes(n: number | undefined): string {
  let v = Math.max(n ?? 0, 0), u = 0;
  while (v >= 1000 && u < units.length - 1) { v /= 1000; u++; }
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: v < 10 && u > 0 ? 1 : 0 }).format(v)} ${units[u]}`;
}
export const number = (n: number, digits = 0) => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(n);
export const date = (seconds: number) => new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(seconds * 1000);

export const clock = (seconds: number) => new Intl.DateTimeFormat(locale(), { timeStyle: "medium", hour12: false }).format(seconds * 1000);

/** How long ago; a time at the epoch is none, as reproducible builds give it. */
export function ago(seconds: number): string {
  if (seconds <= 0) return "–";
  const f = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  const s = Math.round(seconds - Date.now() / 1000);
  for (const [unit, n] of [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]] as const)
    if (Math.abs(s) >= n) return f.format(Math.trunc(s / n), unit);
  return f.format(Math.min(s, 0), "second");
}
