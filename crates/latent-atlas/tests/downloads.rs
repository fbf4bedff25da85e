//! Downloads that do not end by themselves, and data that do not fit into the
//! memory a process may have.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"));
    command
        .current_dir(folder)
        .env_remove("LATENT_ATLAS_DATA")
        .env("LATENT_ATLAS_CACHE", folder.join("cache"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A mirror that begins to answer and goes no further; it says when it was
/// asked.
fn stalling_mirror() -> (String, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
            if sender.send(connection).is_err() {
                break;
            }
        }
    });
    (base, receiver)
}

#[test]
fn a_signal_ends_a_download_that_stalls() {
    for command in [
        &["data", "fetch", "mnist"][..],
        &["train", "mnist", "--out", "run"],
    ] {
        let folder = folder();
        let (base, asked) = stalling_mirror();
        let child = program(folder.path())
            .args(command)
            .args(["--mirror", &base, "--data-dir", "there"])
            .spawn()
            .expect("the program starts");
        let connection = asked.recv_timeout(Duration::from_secs(60));
        let _connection = connection.expect("the mirror is asked");
        std::thread::sleep(Duration::from_millis(300));
        let id = child.id().to_string();
        let begun = Instant::now();
        let killed = Command::new("kill").args(["-TERM", &id]).status();
        assert!(killed.expect("kill starts").success());
        let output = child.wait_with_output().expect("a child");
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(75), "{command:?}: {said}");
        assert!(took < Duration::from_secs(2), "{command:?}: {took:?}");
        assert!(said.contains("stopped by a signal"), "{said}");
        let left = fs::read_dir(folder.path().join("there/mnist")).expect("a folder");
        assert_eq!(left.count(), 0, "{command:?}");
        assert!(!folder.path().join("run/result.json").exists());
    }
}

/// Standard error of a program that may have a gigabyte of address space, and
/// must end with code 2.
#[cfg(target_os = "linux")]
fn refused_in_a_gigabyte(folder: &Path, arguments: &str) -> String {
    let path = assert_cmd::cargo::cargo_bin!("latent-atlas");
    let line = format!("ulimit -v 1000000 && exec \"$0\" {arguments}");
    let output = Command::new("sh")
        .args(["-c", &line])
        .arg(path)
        .current_dir(folder)
        .env("LATENT_ATLAS_CACHE", folder.join("cache"))
        .output()
        .expect("a shell starts");
    let said = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

// Elsewhere it is not known how much memory there is.
#[cfg(target_os = "linux")]
#[test]
fn data_beyond_the_memory_of_a_process_are_refused_in_a_sentence() {
    let folder = folder();
    // Sixteen megabytes of zeros shrink to sixteen kilobytes; a gzip file may
    // consist of many such members.
    let gz = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    };
    let idx = folder.path().join("honest");
    fs::create_dir(&idx).expect("a new folder");
    let count = 1 << 21;
    let mut stored = gz(&datasets::idx::header(&[count, 32, 16]));
    let zeros = gz(&vec![0; 1 << 24]);
    for _ in 0..(count * 32 * 16) >> 24 {
        stored.extend(&zeros);
    }
    assert!(stored.len() < 2_000_000);
    fs::write(idx.join("train-images-idx3-ubyte.gz"), stored).expect("a writable folder");

    let array = folder.path().join("hole.npy");
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 28, 28), }\n";
    let mut file = File::create(array).expect("a writable folder");
    file.write_all(b"\x93NUMPY\x01\x00").expect("room");
    file.write_all(&(header.len() as u16).to_le_bytes())
        .expect("room");
    file.write_all(header.as_bytes()).expect("room");
    file.set_len(10 + header.len() as u64 + 4 * 784_000_000)
        .expect("a hole");

    for (source, needs) in [
        ("idx:honest", "needs 1.09 GB"),
        ("hole.npy", "needs 3.14 GB"),
    ] {
        for command in ["data inspect", "train --out run"] {
            let said = refused_in_a_gigabyte(folder.path(), &format!("{command} {source}"));
            assert!(said.contains(needs), "{said}");
            assert!(said.contains("can be had on this machine"), "{said}");
            assert!(said.trim_end().lines().count() == 1, "{said}");
        }
    }
    // To check a file takes no more memory than a piece of it.
    let said = refused_in_a_gigabyte(folder.path(), "data verify idx:honest");
    assert!(said.contains("needs 1.09 GB"), "{said}");
}
