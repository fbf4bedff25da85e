//! A web server on this machine for the tests of downloading: it answers each
//! path with fixed replies, well or badly, and remembers what was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// One answer. The length announced and the body sent may disagree.
#[derive(Clone)]
pub(crate) struct Reply {
    status: &'static str,
    header: String,
    body: Vec<u8>,
    ending: Ending,
}

/// How an answer goes on behind its body.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more comes, and the connection stays.
    Silence,
    /// A byte comes now and then.
    Drip(Duration),
}

impl Reply {
    pub(crate) fn file(body: &[u8]) -> Self {
        Self::announcing(body.len(), body)
    }

    pub(crate) fn announcing(length: usize, body: &[u8]) -> Self {
        Self {
            status: "200 OK",
            header: format!("Content-Length: {length}\r\n"),
            body: body.to_vec(),
            ending: Ending::Close,
        }
    }

    /// Without a length: the body ends where the connection does.
    pub(crate) fn open_ended(body: &[u8]) -> Self {
        Self {
            status: "200 OK",
            header: String::new(),
            body: body.to_vec(),
            ending: Ending::Close,
        }
    }

    /// With a header that would make a careless client decompress the file.
    pub(crate) fn labelled_gzip(body: &[u8]) -> Self {
        let mut reply = Self::file(body);
        reply.header += "Content-Encoding: gzip\r\n";
        reply
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self {
            status: "302 Found",
            header: format!("Location: {location}\r\nContent-Length: 0\r\n"),
            body: Vec::new(),
            ending: Ending::Close,
        }
    }

    pub(crate) fn status(status: &'static str) -> Self {
        Self {
            status,
            ..Self::file(b"")
        }
    }

    /// No answer at all, on a connection that stays.
    pub(crate) fn silence() -> Self {
        Self::status("").then(Ending::Silence)
    }

    /// The connection is reset before the answer.
    pub(crate) fn reset() -> Self {
        Self::status("").then(Ending::Reset)
    }

    /// The same, and then the connection is reset.
    pub(crate) fn then_reset(self) -> Self {
        self.then(Ending::Reset)
    }

    /// The same, and then nothing more on a connection that stays.
    pub(crate) fn then_silence(self) -> Self {
        self.then(Ending::Silence)
    }

    /// The same, and then a byte whenever `interval` has passed.
    pub(crate) fn then_drip(self, interval: Duration) -> Self {
        self.then(Ending::Drip(interval))
    }

    fn then(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `routes`; any other path is not found. A path that stands there
    /// several times is answered by each of them in turn, then by the last.
    pub(crate) fn start(routes: Vec<(String, Reply)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (requests, stopping) = (Arc::clone(&requests), Arc::clone(&stopping));
            move || {
                for connection in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        break;
                    }
                    // A client that goes away is its own business.
                    let _ = answer(connection.unwrap(), &routes, &requests, &stopping);
                }
            }
        });
        Self {
            address,
            requests,
            stopping,
            thread: Some(thread),
        }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(
    mut connection: TcpStream,
    routes: &[(String, Reply)],
    requests: &Mutex<Vec<String>>,
    stopping: &AtomicBool,
) -> std::io::Result<()> {
    // A connection that is closed with bytes that nobody has read is reset:
    // the request is looked at before it is known whether it is to be read.
    let mut start = [0; 256];
    let count = connection.peek(&mut start)?;
    let start = String::from_utf8_lossy(&start[..count]).into_owned();
    let path = start.split(' ').nth(1).unwrap_or("").to_owned();
    let replies = routes.iter().filter(|(route, _)| *route == path);
    let replies: Vec<&Reply> = replies.map(|(_, reply)| reply).collect();
    let missing = Reply::status("404 Not Found");
    let reply = {
        let mut requests = requests.lock().unwrap();
        let before = requests.iter().filter(|asked| **asked == path).count();
        requests.push(path);
        let last = replies.len().saturating_sub(1);
        replies.get(before.min(last)).copied().unwrap_or(&missing)
    };
    if reply.ending != Ending::Reset {
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
    }
    if !reply.status.is_empty() {
        write!(
            connection,
            "HTTP/1.1 {}\r\n{}Connection: close\r\n\r\n",
            reply.status, reply.header
        )?;
    }
    connection.write_all(&reply.body)?;
    match reply.ending {
        Ending::Close => {}
        // What was sent arrives before the reset.
        Ending::Reset => std::thread::sleep(Duration::from_millis(50)),
        Ending::Silence => {
            while !stopping.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ending::Drip(interval) => {
            while !stopping.load(Ordering::SeqCst) {
                std::thread::sleep(interval);
                connection.write_all(b"x")?;
            }
        }
    }
    Ok(())
}
