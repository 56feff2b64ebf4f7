//! The program as a process, asked over plain HTTP on the loopback address, where everybody has full rights.
#![allow(dead_code, reason = "each test uses a part")]

use meta::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Process {
    pub child: Child,
    port: u16,
}

impl Process {
    /// Starts the program; returns when it serves.
    pub fn start(data: &Path) -> Process {
        let ports = [free_port(), free_port()];
        Process::run(Command::new(env!("CARGO_BIN_EXE_kybern")), data, ports)
    }

    /// The same through another program that gets the command line as its last arguments.
    pub fn start_by(mut wrapper: Command, data: &Path) -> Process {
        let ports = [free_port(), free_port()];
        wrapper.arg(env!("CARGO_BIN_EXE_kybern"));
        Process::run(wrapper, data, ports)
    }

    fn run(mut command: Command, data: &Path, [port, secure]: [u16; 2]) -> Process {
        let flags = ["serve", &format!("--insecure-port={port}"), &format!("--secure-port={secure}"), "--data-dir"];
        let command = command.args(flags).arg(data).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // It says where its kubeconfig is when it accepts requests.
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        if line.is_empty() {
            let mut why = String::new();
            let _ = child.stderr.take().expect("a pipe").read_to_string(&mut why);
            panic!("it did not start: {why}");
        }
        Process { child, port }
    }

    /// The code and the body of an answer. An error when the connection breaks.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((code.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
    }

    /// The same with the body read as JSON; null where it is none.
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (code, text) = self.ask(method, path, body).expect("an answer");
        (code, meta::json::parse(text.as_bytes()).map(|parsed| parsed.value).unwrap_or_default())
    }

    /// What it wrote to its log until it ended; it is killed when it still runs.
    pub fn end(mut self) -> String {
        let mut stderr = self.child.stderr.take().expect("a pipe");
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
        let mut text = String::new();
        stderr.read_to_string(&mut text).expect("its log");
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port").port()
}

/// A ConfigMap with some data.
pub fn config_map(name: &str, data: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"text":"{data}"}}}}"#)
}
