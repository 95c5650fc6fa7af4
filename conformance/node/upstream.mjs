// The upstream of conformance/harness/upstream.py, in a process of its own, and the turns that it plays.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../harness/upstream.py", import.meta.url));
const USAGE = [10, 5];

/** A text, a chunk for each piece. */
export const says = (...pieces) => ({ deltas: pieces.map((content) => ({ content })), usage: USAGE });

/** A text that never goes on, until the other side hangs up. */
export const hangs = (...pieces) => ({ ...says(...pieces), finish: null, hangs: true });

/** An error in place of an answer. */
export const refuses = (status, message) => ({
  status,
  headers: { "retry-after-ms": "20" },
  body: { error: { message, type: "upstream", param: null, code: null } },
});

/** Tool calls, each `[id, name, ...pieces of its arguments]`. */
export function calls(...wanted) {
  const deltas = wanted.flatMap(([id, name, ...pieces], index) => [
    { tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] },
    ...pieces.map((piece) => ({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ]);
  return { deltas, finish: "tool_calls", usage: USAGE };
}

export class Upstream {
  static async start() {
    const process = spawn("python3", [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
    const [url] = await once(createInterface(process.stdout), "line");
    return Object.assign(new Upstream(), { process, url });
  }

  get flags() {
    return ["--upstream", `${this.url}/v1`, "--upstream-key", "sk-upstream"];
  }

  /** A new model that plays `turns`. */
  async model(...turns) {
    const reply = await fetch(`${this.url}/models`, { method: "POST", body: JSON.stringify(turns) });
    return reply.json();
  }

  /** What a model was asked, request by request. */
  async requests(model) {
    return (await fetch(`${this.url}/requests/${model}`)).json();
  }

  /** Whether the server lets go of the model's answer that hangs. */
  async dropped(model) {
    return (await fetch(`${this.url}/dropped/${model}`)).json();
  }

  async stop() {
    this.process.stdin.end();
    await once(this.process, "exit");
  }
}
