// Runs a command in a container and gives its output.
import { demux } from "./demux";
import { Failure, engine, post, stream } from "./api";

export async function run(id: string, ...cmd: string[]): Promise<string> {
  const { Id } = await post<{ Id: string }>(`/containers/${id}/exec`, { Cmd: cmd, AttachStdout: true, AttachStderr: true, Env: ["LC_ALL=C"] });
  let out = "", err = "";
  const o = new TextDecoder(), e = new TextDecoder();
  const feed = demux((b, bad) => { if (bad) err += e.decode(b, { stream: true }); else out += o.decode(b, { stream: true }); });
  await new Promise<void>((ok, bad) => {
    stream(`/exec/${Id}/start`, { method: "POST", body: {}, hijack: true, data: (b, shown) => { feed(b); shown(); }, end: (why) => (why ? bad(why) : ok()) });
  });
  const { ExitCode } = await engine<{ ExitCode: number }>(`/exec/${Id}/json`);
  if (ExitCode !== 0) throw new Failure((err || out).trim() || `exit code ${ExitCode}`, 0);
  return out;
}
