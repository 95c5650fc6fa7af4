use ropewalk_types::{ListQuery, Role, ThreadId};

use crate::{ClientError, Messages};

impl Messages<'_> {
    /// The text of the newest message that the assistant wrote; `None` if it wrote none.
    ///
    /// # Errors
    ///
    /// Those of [`Client::call`](crate::Client::call).
    pub async fn last_answer(self, thread_id: impl Into<ThreadId>) -> Result<Option<String>, ClientError> {
        let mut messages = self.all(thread_id, ListQuery::new());
        while let Some(message) = messages.next().await {
            let message = message?;
            if message.role == Role::Assistant {
                return Ok(Some(message.text()));
            }
        }
        Ok(None)
    }
}
