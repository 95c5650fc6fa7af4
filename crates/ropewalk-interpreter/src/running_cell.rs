use std::{future::poll_fn, io, task::Poll, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    CellEnd, Output, Session,
    frame::{self, Header, Order, Said},
    printed::Printed,
    session::Wire,
};

/// What stands in place of images that are too many.
const CUT: &str = "[figures cut here: too many were drawn]\n";
/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// A cell that runs: its outputs as they come, then its end.
#[derive(Debug)]
pub struct Cell<'a> {
    session: &'a mut Session,
    name: String,
    code: Option<String>,
    deadline: Instant,
    stage: Stage,
    stdout: Printed,
    stderr: Printed,
    images: usize,
    end: Option<CellEnd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Runs,
    Interrupted,
    Killed,
}

enum Happening {
    Printed(String),
    /// So many bytes from the worker; none if it is gone.
    Came(usize),
    Deadline,
}

impl<'a> Cell<'a> {
    pub(crate) fn new(session: &'a mut Session, name: String, code: String) -> Self {
        let deadline = Instant::now() + session.limits.cell;
        Self {
            session,
            name,
            code: Some(code),
            deadline,
            stage: Stage::Runs,
            stdout: Printed::default(),
            stderr: Printed::default(),
            images: 0,
            end: None,
        }
    }

    /// Gives it less time, or more, counted from now.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.deadline = Instant::now() + limit;
        self
    }

    /// What it does next; `None` once it is [over](Self::end).
    pub async fn next(&mut self) -> Option<Output> {
        if let Some(code) = self.code.take() {
            self.begin(&code).await;
        }
        while self.end.is_none() {
            if let Some(image) = self.hear() {
                return Some(image);
            }
            if self.end.is_some() {
                break;
            }
            match self.happening().await {
                Happening::Printed(text) if text.is_empty() => {}
                Happening::Printed(text) => return Some(Output::Text(text)),
                Happening::Came(0) => {
                    self.lose("The session ended: the interpreter exited, crashed, or used too much memory.");
                }
                Happening::Came(_) => {}
                Happening::Deadline => self.hurry(),
            }
        }
        // What was printed before the end is in the pipes by now.
        self.rest()
    }

    /// Waits for its end.
    pub async fn end(mut self) -> CellEnd {
        while self.next().await.is_some() {}
        self.take_end()
    }

    /// Waits for its end; gives all its outputs too, text in one piece between images.
    pub async fn finish(mut self) -> (Vec<Output>, CellEnd) {
        let mut outputs = Vec::new();
        while let Some(output) = self.next().await {
            match (outputs.last_mut(), output) {
                (Some(Output::Text(before)), Output::Text(text)) => before.push_str(&text),
                (_, output) => outputs.push(output),
            }
        }
        (outputs, self.take_end())
    }

    fn take_end(&mut self) -> CellEnd {
        self.end.clone().unwrap_or(CellEnd::Lost { why: "The session ended." })
    }

    async fn begin(&mut self, code: &str) {
        self.session.wire.work();
        if let Some(before) = self.session.wire.unfinished.take() {
            self.see_off(&before).await;
        }
        if self.end.is_some() {
            return;
        }
        self.session.wire.unfinished = Some(self.name.clone());
        let largest_image = self.session.limits.image;
        let order = Order { cell: &self.name, code, largest_image }.encode();
        // A worker that does not read its orders is interrupted in time by nobody else.
        let sent = tokio::time::timeout_at(self.deadline, self.session.wire.send(&order)).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.lose("The session ended: the interpreter does not take its next cell.");
        }
    }

    /// Waits for the end of a cell that was dropped, and throws its output away.
    async fn see_off(&mut self, before: &str) {
        let (name, deadline) = (std::mem::replace(&mut self.name, before.to_owned()), self.deadline);
        self.hurry();
        while self.end.is_none() {
            while self.hear().is_some() {}
            if self.end.is_some() {
                break;
            }
            match self.happening().await {
                Happening::Came(0) => self.lose("The session ended with the cell before this one."),
                Happening::Deadline => self.hurry(),
                Happening::Came(_) | Happening::Printed(_) => {}
            }
        }
        self.rest();
        if !matches!(self.end, Some(CellEnd::Lost { .. })) {
            self.end = None;
            (self.stage, self.images) = (Stage::Runs, 0);
            (self.stdout, self.stderr) = Default::default();
        }
        (self.name, self.deadline) = (name, deadline);
    }

    /// The time is over: the first time it is asked to stop, the second time it is made to.
    fn hurry(&mut self) {
        match self.stage {
            Stage::Runs => {
                self.session.wire.interrupt();
                self.stage = Stage::Interrupted;
                self.deadline = Instant::now() + self.session.limits.grace;
            }
            Stage::Interrupted | Stage::Killed => {
                self.stage = Stage::Killed;
                self.lose("The time limit was hit, and the code did not stop when it was interrupted. The session was ended.");
            }
        }
    }

    fn lose(&mut self, why: &'static str) {
        self.session.wire.kill();
        self.session.wire.unfinished = None;
        self.end.get_or_insert(CellEnd::Lost { why });
    }

    /// The next frame, if it is there whole: an image, or the end.
    fn hear(&mut self) -> Option<Output> {
        let limits = &self.session.limits;
        let (most, longest) = (limits.images, limits.image);
        loop {
            match frame::take(&mut self.session.wire.frames, longest) {
                Ok(None) => return None,
                // Of a cell before, or of somebody who does not know which cell runs.
                Ok(Some((Header { cell, .. }, _))) if cell != self.name => {}
                Ok(Some((Header { said: Said::Image, .. }, image))) => {
                    self.images += 1;
                    if self.images <= most {
                        return Some(Output::Image(image));
                    }
                    if self.images == most + 1 {
                        return Some(Output::Text(CUT.to_owned()));
                    }
                }
                Ok(Some((Header { said: Said::End { error }, .. }, _))) => {
                    self.session.wire.unfinished = None;
                    self.end = Some(match (self.stage, error) {
                        (Stage::Interrupted, _) => CellEnd::TimedOut,
                        (_, None) => CellEnd::Completed,
                        (_, Some(failure)) => CellEnd::Failed { traceback: failure.traceback },
                    });
                    return None;
                }
                Err(frame::Broken) => {
                    self.lose("The session ended: the interpreter sent something that cannot be understood.");
                    return None;
                }
            }
        }
    }

    async fn happening(&mut self) -> Happening {
        let Self { session, stdout, stderr, deadline, .. } = self;
        let most = session.limits.printed;
        let Wire { control, stdout: out, stderr: error, frames, .. } = &mut session.wire;
        let mut streams = std::pin::pin!(poll_fn(|context| {
            let mut bytes = [0; PIECE];
            for (pipe, printed) in [(&mut *out, &mut *stdout), (&mut *error, &mut *stderr)] {
                match Wire::poll_read(pipe, context, &mut bytes) {
                    // Its other ends may all be closed; that is no end of the cell.
                    Poll::Ready(Ok(0) | Err(_)) | Poll::Pending => {}
                    Poll::Ready(Ok(count)) => {
                        let text = printed.take(&bytes[..count], most);
                        return Poll::Ready(Happening::Printed(text));
                    }
                }
            }
            let came: Poll<io::Result<usize>> = Wire::poll_read(control, context, &mut bytes);
            came.map(|came| {
                let count = came.unwrap_or_default();
                frames.extend_from_slice(&bytes[..count]);
                Happening::Came(count)
            })
        }));
        tokio::select! {
            biased;
            () = sleep_until(*deadline) => Happening::Deadline,
            happening = &mut streams => happening,
        }
    }

    /// What is in the pipes now, though the cell is over.
    fn rest(&mut self) -> Option<Output> {
        let most = self.session.limits.printed;
        let mut text = String::new();
        let wire = &mut self.session.wire;
        for (pipe, printed) in [(&wire.stdout, &mut self.stdout), (&wire.stderr, &mut self.stderr)] {
            let mut bytes = [0; PIECE];
            let mut left = most + PIECE;
            // Of the system: the runtime may not have heard yet that there is something.
            while let Ok(count @ 1..) = rustix::io::read(pipe, &mut bytes) {
                text.push_str(&printed.take(&bytes[..count], most));
                left = left.saturating_sub(count);
                if left == 0 {
                    break;
                }
            }
            text.push_str(&printed.end());
        }
        Some(text).filter(|text| !text.is_empty()).map(Output::Text)
    }
}

impl Drop for Cell<'_> {
    fn drop(&mut self) {
        let wire = &self.session.wire;
        if self.code.is_none() && self.end.is_none() {
            wire.interrupt();
        }
        wire.rest();
    }
}
