// Assistants, threads, messages, models: made, read, listed page by page, changed, deleted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { QUOTE, all, answers, assistant, client, otherClient, sdk, thread, upstream } from "./desk.mjs";
import { says } from "./upstream.mjs";

const { assistants, threads } = client.beta;

test("an assistant is kept, changed and deleted", async () => {
  const model = await upstream.model();
  const made = await assistants.create({ model, name: "Clerk", tools: [QUOTE, { type: "code_interpreter" }] });
  assert.match(made.id, /^asst_/);
  assert.deepEqual(await assistants.retrieve(made.id), made);
  assert.deepEqual(made.tools[0].function.parameters, QUOTE.function.parameters);
  const changed = await assistants.update(made.id, { name: "Chief", metadata: { team: "b" } });
  assert.deepEqual(changed, { ...made, name: "Chief", metadata: { team: "b" } });
  const deleted = await assistants.delete(made.id);
  assert.deepEqual(deleted, { id: made.id, object: "assistant.deleted", deleted: true });
  await assert.rejects(assistants.retrieve(made.id), sdk.NotFoundError);
});

test("a thread is kept, changed and deleted", async () => {
  const made = await threads.create({ metadata: { a: "1" } });
  const changed = await threads.update(made.id, { metadata: { b: "2" } });
  assert.deepEqual(changed, { ...made, metadata: { b: "2" } });
  assert.deepEqual(await threads.retrieve(made.id), changed);
  assert.deepEqual(await threads.delete(made.id), { id: made.id, object: "thread.deleted", deleted: true });
  await assert.rejects(threads.messages.list(made.id), sdk.NotFoundError);
});

test("a message is kept, changed and deleted", async () => {
  const thread_id = await thread();
  const content = [
    { type: "text", text: "What is this? Ø🪢" },
    { type: "image_url", image_url: { url: "https://example.com/knot.png", detail: "low" } },
  ];
  const made = await threads.messages.create(thread_id, { role: "user", content, metadata: { n: "1" } });
  assert.deepEqual(made.content, [
    { type: "text", text: { value: content[0].text, annotations: [] } },
    { type: "image_url", image_url: { url: "https://example.com/knot.png", detail: "low" } },
  ]);
  const changed = await threads.messages.update(made.id, { thread_id, metadata: { n: "2" } });
  assert.deepEqual(changed, { ...made, metadata: { n: "2" } });
  assert.deepEqual(await threads.messages.retrieve(made.id, { thread_id }), changed);
  const deleted = await threads.messages.delete(made.id, { thread_id });
  assert.deepEqual(deleted, { id: made.id, object: "thread.message.deleted", deleted: true });
  assert.deepEqual(await all(threads.messages.list(thread_id)), []);
});

for (const order of ["asc", "desc"]) {
  test(`pages join into the whole list, ${order}`, async () => {
    const said = Array.from({ length: 7 }, (_, number) => `message ${number}`);
    const thread_id = await thread(...said);
    const wanted = order === "asc" ? said : said.toReversed();
    const value = (message) => message.content[0].text.value;
    const page = await threads.messages.list(thread_id, { order, limit: 3 });
    assert.deepEqual(page.data.map(value), wanted.slice(0, 3));
    assert.ok(page.hasNextPage());
    assert.deepEqual((await page.getNextPage()).data.map(value), wanted.slice(3, 6));
    assert.deepEqual((await all(page)).map(value), wanted);
  });
}

test("assistants, runs and steps are listed page by page", async () => {
  const model = await upstream.model(says("First."), says("Second."));
  const assistant_id = await assistant(model);
  assert.equal((await assistants.list({ limit: 1 })).data[0].id, assistant_id);
  const thread_id = await thread("Begin.");
  const runs = [];
  for (let round = 0; round < 2; round += 1) runs.push(await threads.runs.createAndPoll(thread_id, { assistant_id }));
  const listed = await all(threads.runs.list(thread_id, { limit: 1, order: "asc" }));
  assert.deepEqual(listed, runs);
  assert.deepEqual(await threads.runs.retrieve(runs[0].id, { thread_id }), runs[0]);
  for (const run of runs) {
    const [step, ...more] = await all(threads.runs.steps.list(run.id, { thread_id, limit: 1 }));
    assert.deepEqual(more, []);
    assert.deepEqual(await threads.runs.steps.retrieve(step.id, { thread_id, run_id: run.id }), step);
    const [message] = (await threads.messages.list(thread_id, { run_id: run.id })).data;
    assert.equal(step.step_details.message_creation.message_id, message.id);
  }
  const changed = await threads.runs.update(runs[0].id, { thread_id, metadata: { seen: "yes" } });
  assert.deepEqual(changed, { ...runs[0], metadata: { seen: "yes" } });
  assert.deepEqual(await answers(thread_id), ["First.", "Second."]);
});

test("models are those of the upstream", async () => {
  const model = await upstream.model();
  assert.ok((await all(client.models.list())).some(({ id }) => id === model));
  assert.equal((await client.models.retrieve(model)).id, model);
  await assert.rejects(client.models.retrieve("gpt-0"), { status: 404, code: "model_not_found" });
});

test("another organisation sees nothing", async () => {
  const thread_id = await thread("Secret.");
  const message = `No thread found with id '${thread_id}'.`;
  for (const call of [
    () => otherClient.beta.threads.retrieve(thread_id),
    () => otherClient.beta.threads.delete(thread_id),
    () => otherClient.beta.threads.messages.list(thread_id),
  ]) {
    await assert.rejects(call, { status: 404, error: { message, type: "invalid_request_error", param: null, code: null } });
  }
});
