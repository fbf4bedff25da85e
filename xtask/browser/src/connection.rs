//! The two pipes: commands and their answers, each a JSON document that ends in
//! a NUL, and between them what happened, kept for the page that it is about.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// What a page is called on the pipes.
pub(crate) type Session = String;

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) parameters: Value,
}

#[derive(Debug)]
pub(crate) struct Connection {
    to: Sender<Vec<u8>>,
    from: Receiver<Value>,
    last: u64,
    events: HashMap<Session, Vec<Event>>,
}

impl Connection {
    pub(crate) fn new(mut to: ChildStdin, from: ChildStdout) -> Self {
        let (hand_over, received) = channel();
        // It ends when the process has closed its end of the pipe.
        thread::spawn(move || {
            let documents = BufReader::new(from).split(0);
            for document in documents.map_while(Result::ok) {
                let Ok(document) = serde_json::from_slice(&document) else {
                    break;
                };
                if hand_over.send(document).is_err() {
                    break;
                }
            }
        });
        // A browser that reads no more must not hold up whoever tells it something.
        let (told, commands) = channel::<Vec<u8>>();
        thread::spawn(move || {
            for command in commands {
                if to.write_all(&command).is_err() {
                    break;
                }
            }
        });
        Self {
            to: told,
            from: received,
            last: 0,
            events: HashMap::new(),
        }
    }

    /// Sends a command, and gives its number.
    pub(crate) fn tell(
        &mut self,
        session: Option<&Session>,
        method: &str,
        parameters: &Value,
    ) -> anyhow::Result<u64> {
        self.last += 1;
        let mut document = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = session {
            document["sessionId"] = json!(session);
        }
        let mut bytes = document.to_string().into_bytes();
        bytes.push(0);
        self.to
            .send(bytes)
            .with_context(|| format!("the browser has gone before {method}"))?;
        Ok(self.last)
    }

    /// Sends a command, and waits for its answer.
    pub(crate) fn call(
        &mut self,
        session: Option<&Session>,
        method: &str,
        parameters: &Value,
        patience: Duration,
    ) -> anyhow::Result<Value> {
        let number = self.tell(session, method, parameters)?;
        let end = Instant::now() + patience;
        loop {
            let Some(mut document) = self.receive(end)? else {
                bail!("{method} was not answered within {patience:?}");
            };
            if document["id"] != json!(number) {
                continue;
            }
            if let Some(error) = document.get("error") {
                bail!("{method} was refused: {error}");
            }
            return Ok(document["result"].take());
        }
    }

    /// Waits for an event of a page; whether it came. It stays among the others.
    pub(crate) fn wait_for(
        &mut self,
        session: &Session,
        method: &str,
        patience: Duration,
    ) -> anyhow::Result<bool> {
        let end = Instant::now() + patience;
        loop {
            let events = self.events.get(session);
            if events.is_some_and(|events| events.iter().any(|event| event.method == method)) {
                return Ok(true);
            }
            if self.receive(end)?.is_none() {
                return Ok(false);
            }
        }
    }

    /// What has happened in a page since it was asked last.
    pub(crate) fn take_events(&mut self, session: &Session) -> anyhow::Result<Vec<Event>> {
        while self.receive(Instant::now())?.is_some() {}
        Ok(self.events.remove(session).unwrap_or_default())
    }

    /// The next document; none when the end comes first.
    fn receive(&mut self, end: Instant) -> anyhow::Result<Option<Value>> {
        let left = end.saturating_duration_since(Instant::now());
        let mut document = match self.from.recv_timeout(left) {
            Ok(document) => document,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the browser has gone"),
        };
        let Some(method) = document["method"].as_str().map(str::to_owned) else {
            return Ok(Some(document));
        };
        if let Some(session) = document["sessionId"].as_str().map(str::to_owned) {
            if method == "Page.javascriptDialogOpening" {
                // Nothing else of the page is answered while it stands there.
                let accept = json!({"accept": true});
                self.tell(Some(&session), "Page.handleJavaScriptDialog", &accept)?;
            }
            let parameters = document["params"].take();
            self.events
                .entry(session)
                .or_default()
                .push(Event { method, parameters });
        }
        Ok(Some(document))
    }
}
