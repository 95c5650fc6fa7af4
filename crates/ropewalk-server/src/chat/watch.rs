use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use ropewalk_events::Decoder;
use ropewalk_model::{ByteStream, CallMeter, ModelError, PassedThrough};
use ropewalk_runs::Meter;
use ropewalk_store::Scope;
use ropewalk_types::Usage;
use serde_json::Value;

use super::{Keep, sum::Sum};
use crate::{caller::Caller, runtime::Runtime, streams::StreamSlot};

/// Most bytes of a reply that is kept, or looked through for its usage.
const MAX_BYTES: usize = 8 << 20;

/// Sees a reply pass by, so that it can be kept and paid for. It holds nothing back but the end of an answer that is
/// not stored yet: who has read the end finds the answer kept.
pub(crate) struct Watch {
    seen: Seen,
    bytes: usize,
    keep: Option<(Keep, Scope)>,
    spending: Spending,
    /// The room of the stream, if it is one.
    _slot: Option<StreamSlot>,
}

/// What was seen of the reply.
#[expect(clippy::large_enum_variant, reason = "one a reply, and most replies are streams")]
enum Seen {
    /// The chunks of a stream.
    Chunks { decoder: Decoder, sum: Sum },
    /// A reply in one piece, as far as it has come.
    Whole(Vec<u8>),
    /// More than is looked at, or what has been dealt with.
    Nothing,
}

impl Watch {
    /// Hands on `reply` as it comes, and watches it.
    pub(crate) fn over(
        reply: PassedThrough,
        keep: Option<(Keep, Scope)>,
        spending: Spending,
        slot: Option<StreamSlot>,
    ) -> impl Stream<Item = Result<Bytes, ModelError>> + Send {
        let kind = reply.content_type.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let seen = if kind.trim_start().to_ascii_lowercase().starts_with("application/json") {
            Seen::Whole(Vec::new())
        } else {
            Seen::Chunks { decoder: Decoder::with_limit(MAX_BYTES), sum: Sum::default() }
        };
        let start = Some((reply.body, Self { seen, bytes: 0, keep, spending, _slot: slot }));
        stream::try_unfold(start, async |place: Option<(ByteStream, Self)>| {
            let Some((mut body, mut watch)) = place else { return Ok(None) };
            match body
                .next()
                .await
                .transpose()
                .inspect_err(|error| watch.spending.meter.end(Some(error.kind())))?
            {
                Some(piece) => {
                    watch.spending.meter.spoke();
                    if watch.see(&piece) {
                        watch.end().await;
                    }
                    Ok(Some((piece, Some((body, watch)))))
                }
                None => {
                    watch.spending.meter.end(None);
                    watch.end().await;
                    Ok(None)
                }
            }
        })
    }

    /// Looks at a piece; says whether the answer ends in it.
    fn see(&mut self, piece: &Bytes) -> bool {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > MAX_BYTES && !matches!(self.seen, Seen::Nothing) {
            self.seen = Seen::Nothing;
            if self.keep.take().is_some() {
                tracing::warn!("a chat completion is not kept: it has more than {MAX_BYTES} bytes");
            }
        }
        match &mut self.seen {
            Seen::Nothing => {}
            Seen::Whole(whole) => whole.extend_from_slice(piece),
            Seen::Chunks { decoder, sum } => {
                decoder.push(piece.clone());
                while let Ok(Some(frame)) = decoder.next_frame() {
                    let data = frame.data.as_str().trim();
                    if data == "[DONE]" {
                        self.spending.meter.end(None);
                        return true;
                    }
                    self.spending.chunks += 1;
                    // Of an answer that is not kept, no more is wanted than what it cost.
                    if (self.keep.is_some() || data.contains("\"usage\""))
                        && let Ok(chunk) = serde_json::from_str(data)
                    {
                        self.spending.note(&chunk);
                        sum.add(chunk);
                    }
                }
            }
        }
        false
    }

    /// Stores what there is to store, once the answer is whole.
    async fn end(&mut self) {
        let completion = match std::mem::replace(&mut self.seen, Seen::Nothing) {
            Seen::Nothing => return,
            Seen::Chunks { sum, .. } => sum.whole(),
            Seen::Whole(json) => serde_json::from_slice(&json).ok().and_then(|reply| {
                self.spending.note(&reply);
                if let Value::Object(whole) = reply { Some(whole) } else { None }
            }),
        };
        let Some((keep, scope)) = self.keep.take() else { return };
        let Some(completion) = completion.filter(|completion| completion.contains_key("choices")) else {
            return tracing::warn!("a chat completion is not kept: it has no end");
        };
        if let Err(error) = keep.store(&scope, completion, self.spending.runtime.now()).await {
            // The answer is made and paid for: better it is read and not kept than lost altogether.
            tracing::error!(error = &error as &dyn std::error::Error, "a chat completion could not be kept");
        }
    }
}

/// What an answer costs its caller: told to the rate limits and the metrics when the reply is over, however it ends.
pub(crate) struct Spending {
    meter: CallMeter,
    runtime: Runtime,
    caller: Caller,
    /// About how many tokens were asked with: what counts if the host tells no usage.
    asked: u64,
    chunks: u64,
    told: Option<u64>,
    usage: Usage,
}

impl Spending {
    pub(crate) fn new(meter: CallMeter, runtime: Runtime, caller: Caller, asked: u64) -> Self {
        Self { meter, runtime, caller, asked, chunks: 0, told: None, usage: Usage::default() }
    }

    fn note(&mut self, reply: &Value) {
        let tokens = |field: &str| reply["usage"][field].as_u64();
        let both = || Some(tokens("prompt_tokens")?.saturating_add(tokens("completion_tokens")?));
        let told = tokens("total_tokens").or_else(both);
        if told.is_some() {
            self.told = told;
            self.usage.prompt_tokens = tokens("prompt_tokens").unwrap_or_default();
            self.usage.completion_tokens = tokens("completion_tokens").unwrap_or_default();
        }
    }
}

impl Drop for Spending {
    fn drop(&mut self) {
        // A chunk is a token, more or less.
        let tokens = self.told.unwrap_or(self.asked.saturating_add(self.chunks));
        self.meter.used(&self.usage);
        let Self { runtime, caller, .. } = self;
        runtime.meter().used(&caller.organization, caller.key_name().as_deref(), tokens);
    }
}
