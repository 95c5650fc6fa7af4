// Chat completions: passed through to the model's host, and kept when asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { all, client, sdk, upstream } from "./desk.mjs";
import { says } from "./upstream.mjs";

const { completions } = client.chat;
const messages = [{ role: "user", content: "Hello?" }];

test("an answer is passed through, whole and streamed", async () => {
  const model = await upstream.model(says("Hi", " there."), says("Hi", " again."));
  const whole = await completions.create({ model, messages });
  assert.equal(whole.choices[0].message.content, "Hi there.");
  const stream = client.chat.completions.stream({ model, messages });
  assert.equal(await stream.finalContent(), "Hi again.");
  assert.deepEqual((await upstream.requests(model))[0], { model, messages });
  await assert.rejects(completions.create({ model: "gpt-0", messages }), { status: 404, code: "model_not_found" });
});

test("what is stored is listed, changed and deleted", async () => {
  const model = await upstream.model(says("One."), says("Two."));
  const one = await completions.create({ model, messages, store: true, metadata: { n: "1" } });
  const two = await completions.create({ model, messages, store: true });
  assert.deepEqual((await all(completions.list({ model, limit: 1 }))).map(({ id }) => id), [one.id, two.id]);
  assert.equal((await completions.retrieve(one.id)).metadata.n, "1");
  assert.equal((await completions.update(one.id, { metadata: { n: "2" } })).metadata.n, "2");
  const kept = await all(completions.messages.list(one.id));
  assert.deepEqual(kept.map(({ content }) => content), ["Hello?"]);
  assert.equal((await completions.delete(one.id)).deleted, true);
  await assert.rejects(completions.retrieve(one.id), sdk.NotFoundError);
});
