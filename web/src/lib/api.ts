// The one way to the server: requests with the tab's token in a header, and streams over websockets of their own.

const KEY = "berth.token";

/** What the server or the engine says when something fails: a sentence, and what to do. */
export class Failure extends Error {
  constructor(message: string, readonly status: number, readonly hint = "") {
    super(message);
  }
}

let token = "";

/** Changes the token of the address, which works once, for the tab's; a reloaded tab has its own still. */
export async function enter(): Promise<boolean> {
  const once = new URLSearchParams(location.hash.slice(1)).get("once");
  if (once) {
    history.replaceState(null, "", location.pathname);
    const r = await fetch("/session", { method: "POST", body: JSON.stringify({ once }) });
    if (r.ok) sessionStorage.setItem(KEY, (await r.json()).token);
  }
  token = sessionStorage.getItem(KEY) ?? "";
  if (!token) return false;
  return fetch("/local/about", { headers: headers() }).then((r) => r.ok, () => false);
}

const headers = (): Record<string, string> => ({ Authorization: `Bearer ${token}` });

async function fail(r: Response): Promise<never> {
  const said = await r.json().catch(() => ({}));
  throw new Failure(said.message ?? r.statusText, r.status, said.hint || r.headers.get("Berth-Hint") || "");
}

export async function request(method: string, path: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method, headers: headers() };
  if (body instanceof Blob) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...headers(), "Content-Type": "application/json" };
  }
  let r: Response;
  try {
    r = await fetch(path, init);
  } catch {
    throw new Failure("the window's server does not answer", 0, "Run berth ui again.");
  }
  return r.ok || r.status === 304 ? r : fail(r);
}

export const get = async <T>(path: string): Promise<T> => (await request("GET", path)).json();
export const engine = async <T>(path: string): Promise<T> => get<T>("/engine" + path);
export async function post<T = unknown>(path: string, body?: unknown): Promise<T> {
  const text = await (await request("POST", "/engine" + path, body)).text();
  return (text ? JSON.parse(text) : {}) as T;
}
export const remove = (path: string) => request("DELETE", "/engine" + path);
export const query = (o: Record<string, string | number | boolean>) => "?" + new URLSearchParams(Object.entries(o).map(([k, v]) => [k, String(v)]));

export type StreamOptions = {
  method?: string;
  body?: unknown;
  hijack?: boolean;
  open?: () => void;
  /** Gets each piece; call shown once it was dealt with, and the server sends more. */
  data: (bytes: Uint8Array, shown: () => void) => void;
  /** Called once: with a Failure where the stream did not begin or broke off. */
  end?: (why?: Failure) => void;
};

export type Stream = { send(bytes: Uint8Array): void; close(): void };

/** One request to the engine whose answer goes on. */
export function stream(path: string, o: StreamOptions): Stream {
  const ws = new WebSocket(`ws://${location.host}/stream`);
  ws.binaryType = "arraybuffer";
  let over = false, begun = false;
  const early: Uint8Array<ArrayBuffer>[] = []; // what a person types before the engine has answered
  const end = (why?: Failure) => {
    if (over) return;
    over = true;
    ws.close();
    o.end?.(why);
  };
  ws.onopen = () => ws.send(JSON.stringify({ token, method: o.method ?? "GET", path, body: o.body, hijack: o.hijack }));
  ws.onmessage = (m) => {
    if (over) return;
    if (typeof m.data === "string") {
      const said = JSON.parse(m.data);
      if (said.status >= 400) failed(said, end, o);
      else {
        o.open?.();
        begun = true;
        for (const b of early) ws.send(b);
      }
      return;
    }
    if (refused) {
      body += new TextDecoder().decode(m.data);
      return;
    }
    const n = m.data.byteLength;
    o.data(new Uint8Array(m.data), () => ws.readyState === WebSocket.OPEN && ws.send(JSON.stringify({ shown: n })));
  };
  // An engine that refuses says why in the body that follows.
  let refused: { status: number; hint?: string } | null = null;
  let body = "";
  const failed = (said: { status: number; message?: string; hint?: string }, done: typeof end, _: StreamOptions) => {
    if (said.message) done(new Failure(said.message, said.status, said.hint));
    else refused = said;
  };
  ws.onclose = (e) => {
    if (refused) {
      let message = body;
      try { message = JSON.parse(body).message; } catch { /* as it is */ }
      end(new Failure(message, refused.status, refused.hint));
    } else end(e.code === 1000 ? undefined : new Failure("the connection to the engine ended", 0));
  };
  const send = (b: Uint8Array) => {
    if (!begun) early.push(b as Uint8Array<ArrayBuffer>);
    else if (ws.readyState === WebSocket.OPEN) ws.send(b as Uint8Array<ArrayBuffer>);
  };
  return { send, close: () => { over = true; ws.close(); } };
}

/** Calls each with the values of a stream of JSON, a line each. */
export function lines<T>(each: (value: T) => void): StreamOptions["data"] {
  const decoder = new TextDecoder();
  let rest = "";
  return (bytes, shown) => {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const p of parts) if (p.trim()) each(JSON.parse(p));
    shown();
  };
}
