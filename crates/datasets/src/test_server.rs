//! A web server on this machine for the tests of downloading: it answers each
//! path with a fixed reply and remembers what was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One answer. The length announced and the body sent may disagree.
#[derive(Clone)]
pub(crate) struct Reply {
    status: &'static str,
    header: String,
    body: Vec<u8>,
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
        }
    }

    /// Without a length: the body ends where the connection does.
    pub(crate) fn open_ended(body: &[u8]) -> Self {
        Self {
            status: "200 OK",
            header: String::new(),
            body: body.to_vec(),
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
        }
    }
}

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `routes`; any other path is not found.
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
                    let _ = answer(connection.unwrap(), &routes, &requests);
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
) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or("").to_owned();
    let missing = Reply {
        status: "404 Not Found",
        header: "Content-Length: 9\r\n".to_owned(),
        body: b"not here\n".to_vec(),
    };
    let reply = routes
        .iter()
        .find(|(route, _)| *route == path)
        .map_or(&missing, |(_, r)| r);
    requests.lock().unwrap().push(path);
    write!(
        connection,
        "HTTP/1.1 {}\r\n{}Connection: close\r\n\r\n",
        reply.status, reply.header
    )?;
    connection.write_all(&reply.body)
}
