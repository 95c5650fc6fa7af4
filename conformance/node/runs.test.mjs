// Runs by the polling helpers and by the event emitters.

import assert from "node:assert/strict";
import { test } from "node:test";
import { QUOTE, all, answers, assistant, client, outputsFor, sdk, thread, upstream } from "./desk.mjs";
import { calls, hangs, refuses, says } from "./upstream.mjs";

const { threads } = client.beta;
const PRICE = ["call_a", "quote_share", '{"sym', 'bol":"AAPL"}'];
const OTHER_PRICE = ["call_b", "quote_share", '{"symbol":', '"MSFT"}'];

/** A stream that notes what its emitters tell, in order; what is told twice in a row is noted once. */
function noted(stream) {
  const notes = [];
  const note = (line) => notes.at(-1) === line || notes.push(line);
  const names = ["messageCreated", "messageDelta", "messageDone", "runStepCreated", "runStepDelta", "runStepDone"];
  names.push("toolCallCreated", "toolCallDelta", "toolCallDone", "textCreated", "textDelta", "textDone", "end");
  for (const name of names) stream.on(name, () => note(name));
  return { stream, notes };
}

/** What is told of a text; releases differ in whether a delta of its message is told before or after it. */
const TEXT = ["runStepCreated", "messageCreated", "textCreated", "textDelta", "textDone", "messageDone", "runStepDone"];

/** A message's words: the older releases give the snapshot of deltas as the final message, not the completed one. */
const words = ({ id, content }) => [id, content.map(({ text }) => text)];

test("the polling helpers go from a question over a tool call to the answer", async () => {
  const model = await upstream.model(calls(PRICE, OTHER_PRICE), says("Both known."), says("Bye."));
  const assistant_id = await assistant(model, QUOTE);
  const body = { assistant_id, thread: { messages: [{ role: "user", content: "Begin." }] } };
  const waiting = await threads.createAndRunPoll(body);
  assert.equal(waiting.status, "requires_action");
  const { thread_id } = waiting;
  const done = await threads.runs.submitToolOutputsAndPoll(waiting.id, { thread_id, tool_outputs: outputsFor(waiting) });
  assert.equal(done.status, "completed");
  assert.deepEqual(done.usage, { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 });
  const [asked] = await all(threads.runs.steps.list(done.id, { thread_id, order: "asc" }));
  assert.deepEqual(
    asked.step_details.tool_calls.map(({ function: { output } }) => JSON.parse(output).price),
    [231.5, 418],
  );
  assert.equal((await threads.runs.createAndPoll(thread_id, { assistant_id })).status, "completed");
  assert.deepEqual(await answers(thread_id), ["Both known.", "Bye."]);
});

test("a run, its tool calls and its answer are told by the emitters", async () => {
  const model = await upstream.model(calls(PRICE, OTHER_PRICE), says("Both", " known", "."));
  const thread_id = await thread("Begin.");
  const asking = noted(threads.runs.stream(thread_id, { assistant_id: await assistant(model, QUOTE) }));
  const snapshots = [];
  asking.stream.on("toolCallDone", (call) => snapshots.push(call));
  const run = await asking.stream.finalRun();
  assert.equal(run.status, "requires_action");
  assert.equal(asking.notes[0], "runStepCreated");
  assert.deepEqual(
    snapshots.map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]),
    [
      ["call_a", "quote_share", { symbol: "AAPL" }],
      ["call_b", "quote_share", { symbol: "MSFT" }],
    ],
  );
  assert.equal(asking.notes.at(-1), "end");

  const tool_outputs = outputsFor(run);
  const telling = noted(threads.runs.submitToolOutputsStream(run.id, { thread_id, tool_outputs }));
  let text = "";
  telling.stream.on("textDelta", (delta, snapshot) => {
    text += delta.value ?? "";
    assert.equal(snapshot.value, text);
  });
  const done = await telling.stream.finalRun();
  assert.equal(done.status, "completed");
  assert.equal(text, "Both known.");
  assert.ok(telling.notes.includes("messageDelta"));
  const told = telling.notes.filter((name) => TEXT.includes(name));
  assert.deepEqual([...new Set(told.slice(told.indexOf("runStepCreated")))], TEXT);
  assert.equal(telling.notes.at(-1), "end");
  const [message] = await telling.stream.finalMessages();
  assert.deepEqual(words(await threads.messages.retrieve(message.id, { thread_id })), words(message));
});

test("a thread and its run begin in one stream, whose final objects are those of the API", async () => {
  const model = await upstream.model(says("One", " rope", "."));
  const body = { assistant_id: await assistant(model), thread: { messages: [{ role: "user", content: "Begin." }] } };
  const stream = threads.createAndRunStream(body);
  const names = [];
  for await (const event of stream) names.push(event.event);
  assert.equal(names[0], "thread.created");
  assert.equal(names.at(-1), "thread.run.completed");
  const run = await stream.finalRun();
  const [message] = await stream.finalMessages();
  const [step] = await stream.finalRunSteps();
  const { thread_id } = run;
  assert.deepEqual(await threads.runs.retrieve(run.id, { thread_id }), run);
  assert.deepEqual(words(await threads.messages.retrieve(message.id, { thread_id })), words(message));
  assert.deepEqual(await threads.runs.steps.retrieve(step.id, { thread_id, run_id: run.id }), step);
  assert.equal(stream.currentRun().id, run.id);
});

test("the older names of the streaming helpers work", { skip: !threads.runs.createAndStream }, async () => {
  const model = await upstream.model(says("Done."));
  const stream = threads.runs.createAndStream(await thread("Begin."), { assistant_id: await assistant(model) });
  assert.equal((await stream.finalRun()).status, "completed");
});

test("raw events come as they are", async () => {
  const model = await upstream.model(says("Hel", "lo"));
  const body = { assistant_id: await assistant(model), stream: true };
  const events = await all(await threads.runs.create(await thread("Begin."), body));
  assert.deepEqual(
    events.slice(0, 3).map(({ event }) => event),
    ["thread.run.created", "thread.run.queued", "thread.run.in_progress"],
  );
  const deltas = events.filter(({ event }) => event === "thread.message.delta");
  assert.equal(deltas.map(({ data }) => data.delta.content[0].text.value).join(""), "Hello");
});

test("runs that fail or end too early are told as such", async () => {
  const cases = [
    ["failed", refuses(400, "No.")],
    ["incomplete", { ...says("On and"), finish: "length" }],
  ];
  for (const [status, turn] of cases) {
    const body = { assistant_id: await assistant(await upstream.model(turn)) };
    const run = await threads.runs.stream(await thread("Begin."), body).finalRun();
    assert.equal(run.status, status);
  }
});

test("a reader who aborts does not stop the run", async () => {
  // More than is read at once: a stream that has all come when it is aborted never ends in Node's `fetch`.
  const words = Array(2000).fill("word ");
  const model = await upstream.model(says(...words));
  const thread_id = await thread("Begin.");
  const stream = threads.runs.stream(thread_id, { assistant_id: await assistant(model) });
  const [run] = await Promise.all([
    new Promise((told) => stream.once("event", ({ data }) => told(data))),
    new Promise((told) => stream.once("textDelta", () => told(stream.abort()))),
  ]);
  await assert.rejects(stream.done(), sdk.APIUserAbortError);
  assert.ok(stream.aborted);
  const done = await threads.runs.poll(run.id, { thread_id });
  assert.equal(done.status, "completed");
  assert.deepEqual(await answers(thread_id), [words.join("")]);
});

test("a reader who stops iterating does not stop the run", async () => {
  const model = await upstream.model(says(...Array(50).fill("word ")));
  const thread_id = await thread("Begin.");
  const stream = threads.runs.stream(thread_id, { assistant_id: await assistant(model) });
  stream.on("abort", () => {});
  let run;
  for await (const { data } of stream) {
    run = data;
    break;
  }
  assert.equal((await threads.runs.poll(run.id, { thread_id })).status, "completed");
});

test("a cancel stops the model in the middle of its answer", async () => {
  const model = await upstream.model(hangs("Never"));
  const thread_id = await thread("Begin.");
  const stream = threads.runs.stream(thread_id, { assistant_id: await assistant(model) });
  stream.once("textDelta", () => threads.runs.cancel(stream.currentRun().id, { thread_id }));
  assert.equal((await stream.finalRun()).status, "cancelled");
  assert.equal(await upstream.dropped(model), true);
  const [message] = (await threads.messages.list(thread_id)).data;
  assert.equal(message.incomplete_details.reason, "run_cancelled");
});
