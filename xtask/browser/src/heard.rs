//! What a page did that nobody sees: what it wrote to the console, what it threw,
//! what its policy forbade, and what it asked of the network.

use serde_json::Value;

use crate::connection::Event;

/// A line of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `log`, `info`, `warning`, `error` and so on.
    pub level: String,
    /// What it says.
    pub text: String,
}

/// What was heard of a page since it was opened.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// What its scripts and the browser wrote to the console.
    pub console: Vec<Line>,
    /// Exceptions and rejections that nobody caught.
    pub exceptions: Vec<String>,
    /// What its Content Security Policy forbade.
    pub violations: Vec<String>,
    /// Dialogs it opened; each was accepted.
    pub dialogs: Vec<String>,
    /// The address of everything it asked for, with that of the page itself.
    pub requests: Vec<String>,
}

impl Heard {
    /// What a page that is one quiet file must not do: a sentence for each error
    /// and warning, each exception, violation and dialog, and each request beyond
    /// the file, whose address is `own`, and what stands in the file itself.
    #[must_use]
    pub fn faults(&self, own: &str) -> Vec<String> {
        let lines = self.console.iter().filter(|line| {
            let level = line.level.as_str();
            matches!(level, "warning" | "error" | "assert")
        });
        let lines = lines.map(|line| format!("the console has the {}: {}", line.level, line.text));
        let exceptions = self.exceptions.iter();
        let exceptions = exceptions.map(|text| format!("an exception nobody caught: {text}"));
        let violations = self.violations.iter();
        let violations = violations.map(|text| format!("against the page's policy: {text}"));
        let dialogs = self.dialogs.iter();
        let dialogs = dialogs.map(|text| format!("a dialog opened: {text}"));
        let requests = self.requests_beyond(own);
        let requests = requests.map(|address| format!("the page asked for {address}"));
        lines
            .chain(exceptions)
            .chain(violations)
            .chain(dialogs)
            .chain(requests)
            .collect()
    }

    /// What was asked for beyond the file whose address is `own`.
    pub fn requests_beyond<'a>(&'a self, own: &str) -> impl Iterator<Item = &'a str> {
        let own = without_fragment(own).to_owned();
        self.requests
            .iter()
            .map(String::as_str)
            .filter(move |address| {
                let inside = ["data:", "blob:", "about:"];
                without_fragment(address) != own
                    && !inside.iter().any(|scheme| address.starts_with(scheme))
            })
    }

    pub(crate) fn hear(&mut self, event: &Event) {
        let said = &event.parameters;
        match event.method.as_str() {
            "Runtime.consoleAPICalled" => self.console.push(Line {
                level: text(&said["type"]),
                text: spoken(&said["args"]),
            }),
            "Log.entryAdded" => self.console.push(Line {
                level: text(&said["entry"]["level"]),
                text: text(&said["entry"]["text"]) + &at(&said["entry"]["url"]),
            }),
            "Runtime.exceptionThrown" => {
                self.exceptions.push(exception(&said["exceptionDetails"]));
            }
            "Audits.issueAdded" if said["issue"]["code"] == "ContentSecurityPolicyIssue" => {
                let issue = &said["issue"]["details"]["contentSecurityPolicyIssueDetails"];
                let directive = text(&issue["violatedDirective"]);
                self.violations.push(directive + &at(&issue["blockedURL"]));
            }
            "Page.javascriptDialogOpening" => self.dialogs.push(text(&said["message"])),
            "Network.requestWillBeSent" => self.requests.push(text(&said["request"]["url"])),
            "Network.webSocketCreated" | "Network.webTransportCreated" => {
                self.requests.push(text(&said["url"]));
            }
            _ => (),
        }
    }
}

/// The sentence of what JavaScript threw.
pub(crate) fn exception(details: &Value) -> String {
    let thrown = &details["exception"];
    match thrown["description"].as_str() {
        Some(description) => description.to_owned(),
        None if thrown["value"].is_null() => text(&details["text"]),
        None => format!("{}: {}", text(&details["text"]), thrown["value"]),
    }
}

fn spoken(arguments: &Value) -> String {
    let arguments = arguments.as_array().map_or(&[][..], Vec::as_slice);
    let words = arguments.iter().map(|argument| match &argument["value"] {
        Value::Null => text(&argument["description"]),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn at(address: &Value) -> String {
    let address = address.as_str().filter(|address| !address.is_empty());
    address.map_or_else(String::new, |address| format!(" ({address})"))
}

fn without_fragment(address: &str) -> &str {
    address.split('#').next().unwrap_or_default()
}
