// The upstream of conformance/harness/upstream.py, and the turns that it plays.

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
  constructor(url) {
    this.url = url;
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
}
